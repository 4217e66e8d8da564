internal import LinearAlgebra

/// A causal depthwise convolution inside a cell, over some columns of its preactivation:
///
///     y(t) = f(b + Σₖ w(K−1−k) ∘ x(t−k)),   k = 0 … K−1
///
/// x are the columns as the input's product has filled them in. The last K − 1 of them are a state of the
/// cell, which its layer carries and starts anew. The cell calls `forward` before it reads y, and `backward`
/// when it has set ∂y of the step, one step after the other: a `MatrixStateCell` in `mixInput` and
/// `mixInputBack`.
struct InnerConvolution: Sendable {
  /// y; the cell may change it, since no gradient needs it.
  let output: Activation
  /// x of all steps, whose gradient the cell may add to before it calls `backward`.
  var input: Activation { filter.line }
  private let preactivation: Activation
  private let columns: Range<Int>
  private let activation: PointwiseFunction?
  private let filter: DepthwiseFilter

  /// - Parameters:
  ///   - columns: The columns of the preactivation, which must be `.overwrites`.
  ///   - name: The name of the state, and with a `_` the text before the names `weight` and `bias`.
  ///   - derivative: `.overwrites` if the cell overwrites y with its gradient, or `.added`.
  init(
    _ options: ConvolutionOptions, of columns: Range<Int>, in preactivation: Activation,
    named name: String = "conv", derivative: GradientStorage = .overwrites, in plan: inout Plan
  ) {
    self.preactivation = preactivation
    self.columns = columns
    activation = options.activation
    filter = DepthwiseFilter(
      options, width: columns.count, prefix: name + "_", line: name, in: &plan)
    output = plan.activation(columns.count, derivative: derivative)
  }

  /// Makes the convolution of the blocks of xLSTM, with a bias and SiLU, the gradient of y added to by the
  /// cell. Its first numbers are those of PyTorch's `Conv1d` with any initializer but `uniform`: a channel
  /// reads K numbers, whatever the widths that the others count.
  static func ofXLSTM(
    kernel: Int, of columns: Range<Int>, in preactivation: Activation, in plan: inout Plan
  ) -> Self {
    let initializer = plan.scope.initializer
    defer { plan.scope.initializer = initializer }
    if !initializer.isUniform { plan.scope.initializer = .pytorch }
    return InnerConvolution(
      ConvolutionOptions(kernel: kernel, activation: .silu), of: columns, in: preactivation,
      derivative: .added, in: &plan)
  }

  /// Computes y(t).
  func forward(_ t: Int, _ pass: Pass) {
    let (a, y) = (pass[preactivation, t].slice(columns: columns), pass[output, t])
    pass[filter.line, t].copy(a)
    guard let activation else { return filter.forward(t, into: y, pass) }
    // The columns keep the sum, of which the gradient of f is made.
    filter.forward(t, into: a, pass)
    activation.apply(a, to: y)
  }

  /// Turns the columns of the preactivation into their gradient, and adds to those of the weights and of
  /// earlier inputs.
  func backward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t].slice(columns: columns)
    if let activation {
      activation.differentiate(pass.d[output, t], a)
    } else {
      a.copy(pass.d[output, t])
    }
    filter.backward(t, from: a, pass)
    a.copy(pass.d[filter.line, t])
  }
}
