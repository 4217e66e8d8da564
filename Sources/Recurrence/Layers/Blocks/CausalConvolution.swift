internal import LinearAlgebra

/// The options of a causal depthwise convolution.
///
/// A configuration gives the kernel's size, `conv: 4`, or `conv: {kernel: 4, activation: silu}`.
public struct ConvolutionOptions: Codable, Hashable, Sendable {
  /// k: the number of steps that an output reads, from 2 to 8.
  public var kernel: Int
  public var bias: Bool
  /// The function of the sum; nil for none.
  public var activation: PointwiseFunction?

  public init(kernel: Int, bias: Bool = true, activation: PointwiseFunction? = nil) {
    self.kernel = kernel
    self.bias = bias
    self.activation = activation
  }

  private enum CodingKeys: String, CodingKey { case kernel, bias, activation }

  public init(from decoder: any Decoder) throws {
    if let kernel = try? decoder.singleValueContainer().decode(Int.self) {
      self.init(kernel: kernel)
    } else {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      self.init(
        kernel: try keys.decode(Int.self, forKey: .kernel),
        bias: try keys.decodeIfPresent(Bool.self, forKey: .bias) ?? true,
        activation: try keys.decodeIfPresent(PointwiseFunction.self, forKey: .activation))
    }
    guard (2...8).contains(kernel) else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "a convolution reads 2 to 8 steps, not \(kernel)"))
    }
  }
}

/// A causal depthwise convolution over time, each channel by itself:
///
///     y(t) = f(b + Σₖ w(K−1−k) ∘ x(t−k)),   k = 0 … K−1
///
/// The last row of w multiplies the present input, as in PyTorch's `Conv1d` with padding on the left. The
/// last K − 1 inputs are carried from window to window; where a stream starts anew, they are zero.
struct CausalConvolution: Layer {
  let output: Activation
  private let input: Activation
  private let activation: PointwiseFunction?
  /// w, `[K, channels]`.
  private let weight: Parameter
  private let bias: Parameter?
  /// x with the steps before the window.
  private let line: Activation
  /// The sum that f is applied to; nil without f.
  private let preactivation: Activation?
  private let states: CarriedStates
  private let kernel: Int

  init(_ options: ConvolutionOptions, reading input: Activation, in plan: inout Plan) {
    let width = plan.width(input)
    self.input = input
    activation = options.activation
    kernel = options.kernel
    // A channel reads K numbers, whatever the number of channels: an initializer that counts what a
    // row reads would be wrong.
    let initializer = plan.scope.initializer
    var spread = Distribution.uniform(1 / Double(kernel).squareRoot())
    if case .lecun = initializer {
      plan.scope.initializer = .pytorch
      spread = .normal(0.1 / Double(kernel).squareRoot())
    }
    weight = plan.parameter("weight", from: width, to: kernel, pytorch: spread)
    plan.scope.initializer = initializer
    bias = options.bias ? plan.vector("bias", count: width, pytorch: spread) : nil
    line = plan.state(width, named: "x", lags: Array(1..<kernel))
    states = CarriedStates(
      [line], .zero, output: line, initialStates: { _, _, _, _ in nil }, in: &plan)
    preactivation =
      options.activation == nil ? nil : plan.activation(width, derivative: .overwrites)
    output = plan.activation(width)
  }

  func forward(_ pass: Pass) {
    states.beginWindow(pass)
    pass[line].copy(pass[input])
    let w = pass[weight].matrix
    for t in 0..<pass.steps {
      states.beforeStep(t, pass)
      let y = pass[preactivation ?? output, t]
      for s in 0..<pass.streams {
        if let bias { y[s].copy(pass[bias].row) } else { y[s].fill(0) }
        addProduct(w[kernel - 1], pass[line, t][s], to: y[s])
        for k in 1..<kernel {
          addProduct(w[kernel - 1 - k], pass.before(line, t, lag: k)[s], to: y[s])
        }
      }
    }
    if let activation, let preactivation {
      activation.apply(pass[preactivation], to: pass[output])
    }
    pass.mark(.pointwise)
  }

  func backward(_ pass: Pass) {
    if let activation, let preactivation {
      activation.differentiate(pass.d[output], pass[preactivation])
    }
    let (w, dw) = (pass[weight].matrix, pass.d[weight].matrix)
    for t in (0..<pass.steps).reversed() {
      states.beforeBackward(t, pass)
      let dy = preactivation.map { pass[$0, t] } ?? pass.d[output, t]
      for s in 0..<pass.streams {
        if let bias { pass.d[bias].row.add(dy[s]) }
        differentiate(
          dy[s], w[kernel - 1], pass[line, t][s], dw[kernel - 1], pass.d[line, t][s])
        for k in 1..<kernel {
          differentiate(
            dy[s], w[kernel - 1 - k], pass.before(line, t, lag: k)[s], dw[kernel - 1 - k],
            pass.d.before(line, t, lag: k)[s])
        }
      }
      states.afterBackward(t, pass)
    }
    states.endWindow(pass)
    pass.d[input].add(pass.d[line])
    pass.mark(.pointwise)
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
