internal import LinearAlgebra

/// The multiplicative recurrent network, whose input chooses the recurrent matrix (Sutskever,
/// Martens & Hinton 2011):
///
///     f = (x W_f) ∘ (h(t−1) W_hf)      h(t) = tanh(f W_fh + x W_h + b)
///
/// The blocks of the input product lie in the order W_f, W_h. The number of factors f equals the
/// number of units.
public struct Multiplicative: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int

    public init(hidden: Int) { self.hidden = hidden }

    public init(from decoder: any Decoder) throws {
      hidden = try decoder.container(keyedBy: CodingKeys.self).hiddenUnits(.hidden)
    }
  }

  public static let equations = "f = (x W_f)∘(h₋ W_hf); h = tanh(f W_fh + x W_h + b)"
  public static let citation = "Sutskever 2011"
  public static let gates = 2

  public static func variants(hidden: Int) -> [Options] { [Options(hidden: hidden)] }
  public static func biasedGates(_ options: Options) -> Int { 1 }

  public let preactivation, output: Activation
  let factors: IntermediateState

  public init(_ options: Options, in plan: inout Plan) {
    preactivation = plan.activation(2 * options.hidden, derivative: .overwrites)
    output = plan.state(options.hidden)
    factors = IntermediateState(
      options.hidden, gates: 1, names: ("weight_hf", "weight_fh"), in: &plan)
  }

  public var recurrentWeights: [Parameter] { [factors.fromState, factors.toGates] }

  public var transitions: [Transition] {
    [Transition([WeightBlock(factors.fromState), WeightBlock(factors.toGates)])]
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    let sum = a.part(1, of: 2)
    factors.forward(a.part(0, of: 2), pass.read(output, t), into: sum, t, pass)
    Nonlinearity.tanh.respond(sum, pass[output, t])
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    let da = a.part(1, of: 2)
    Nonlinearity.tanh.differentiate(pass[output, t], pass.d[output, t], da)
    factors.backward(a.part(0, of: 2), da, pass.d.read(output, t), t, pass)
  }

  public func accumulate(_ pass: Pass) {
    factors.accumulate(pass.d[preactivation].part(1, of: 2), pass.read(output, lag: 1), pass)
  }
}
