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

/// A causal depthwise convolution over time, each channel by itself, with a function f of the sum:
///
///     y(t) = f(b + Σₖ w(K−1−k) ∘ x(t−k)),   k = 0 … K−1
///
/// The last K − 1 inputs are carried from window to window; where a stream starts anew, they are zero.
struct CausalConvolution: Layer {
  let output: Activation
  private let input: Activation
  private let activation: PointwiseFunction?
  private let filter: DepthwiseFilter
  /// The sum that f is applied to; nil without f.
  private let preactivation: Activation?
  private let states: CarriedStates

  init(_ options: ConvolutionOptions, reading input: Activation, in plan: inout Plan) {
    let width = plan.width(input)
    self.input = input
    activation = options.activation
    filter = DepthwiseFilter(options, width: width, line: "x", in: &plan)
    states = CarriedStates(
      [filter.line], .zero, output: filter.line, initialStates: { _, _, _, _ in nil }, in: &plan)
    preactivation =
      options.activation == nil ? nil : plan.activation(width, derivative: .overwrites)
    output = plan.activation(width)
  }

  func forward(_ pass: Pass) {
    states.beginWindow(pass)
    pass[filter.line].copy(pass[input])
    for t in 0..<pass.steps {
      states.beforeStep(t, pass)
      filter.forward(t, into: pass[preactivation ?? output, t], pass)
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
    for t in (0..<pass.steps).reversed() {
      states.beforeBackward(t, pass)
      filter.backward(t, from: preactivation.map { pass[$0, t] } ?? pass.d[output, t], pass)
      states.afterBackward(t, pass)
    }
    states.endWindow(pass)
    pass.d[input].add(pass.d[filter.line])
    pass.mark(.pointwise)
  }
}
