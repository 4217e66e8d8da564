internal import LinearAlgebra

/// The weights of a causal depthwise convolution, and its sum at one step, each channel by itself:
///
///     y(t) = b + Σₖ w(K−1−k) ∘ x(t−k),   k = 0 … K−1
///
/// The last row of w multiplies the present input, as in PyTorch's `Conv1d` with padding on the left. First
/// weights and biases are those of `Conv1d`, from U(±1/√K).
struct DepthwiseFilter: Sendable {
  /// w, `[K, channels]`.
  private let weight: Parameter
  private let bias: Parameter?
  /// x, a state whose last K − 1 steps are carried.
  let line: Activation
  private let kernel: Int

  /// - Parameters:
  ///   - width: The number of channels.
  ///   - prefix: The text before the names `weight` and `bias`.
  ///   - line: The name of the state of inputs.
  init(
    _ options: ConvolutionOptions, width: Int, prefix: String = "", line name: String,
    in plan: inout Plan
  ) {
    kernel = options.kernel
    // A channel reads K numbers, whatever the number of channels: an initializer that counts what a
    // row reads would be wrong.
    let initializer = plan.scope.initializer
    var spread = Distribution.uniform(1 / Double(kernel).squareRoot())
    if case .lecun = initializer {
      plan.scope.initializer = .pytorch
      spread = .normal(0.1 / Double(kernel).squareRoot())
    }
    weight = plan.parameter(prefix + "weight", from: width, to: kernel, pytorch: spread)
    plan.scope.initializer = initializer
    bias = options.bias ? plan.vector(prefix + "bias", count: width, pytorch: spread) : nil
    line = plan.state(width, named: name, lags: Array(1..<kernel))
  }

  /// Sets y at step t, for all streams.
  func forward(_ t: Int, into y: Matrix, _ pass: Pass) {
    let w = pass[weight].matrix
    for s in 0..<pass.streams {
      if let bias { y[s].copy(pass[bias].row) } else { y[s].fill(0) }
      addProduct(w[kernel - 1], pass[line, t][s], to: y[s])
      for k in 1..<kernel {
        addProduct(w[kernel - 1 - k], pass.before(line, t, lag: k)[s], to: y[s])
      }
    }
  }

  /// Adds to the gradients of the weights and of the inputs that step t has read.
  func backward(_ t: Int, from dy: Matrix, _ pass: Pass) {
    let (w, dw) = (pass[weight].matrix, pass.d[weight].matrix)
    for s in 0..<pass.streams {
      if let bias { pass.d[bias].row.add(dy[s]) }
      differentiate(dy[s], w[kernel - 1], pass[line, t][s], dw[kernel - 1], pass.d[line, t][s])
      for k in 1..<kernel {
        differentiate(
          dy[s], w[kernel - 1 - k], pass.before(line, t, lag: k)[s], dw[kernel - 1 - k],
          pass.d.before(line, t, lag: k)[s])
      }
    }
  }
}

/// y += w ∘ x
@inline(never) private func addProduct(_ w: Row, _ x: Row, to y: Row) {
  for j in 0..<y.count { y[j] += w[j] * x[j] }
}
/// ∂w += ∂y ∘ x, ∂x += ∂y ∘ w
@inline(never) private func differentiate(
  _ dy: Row, _ w: Row, _ x: Row, _ dw: Row, _ dx: Row
) {
  for j in 0..<dy.count {
    dw[j] += dy[j] * x[j]
    dx[j] += dy[j] * w[j]
  }
}
