internal import LinearAlgebra

/// A cell unrolled over the time steps of a window.
///
/// The preactivation of all steps is one product before the loop, the gradients of the weights one
/// product each after it. Streams that start anew inside the window are handled here and nowhere else.
public struct Recurrent<Cell: RecurrentCell>: Layer {
  public let output: Activation
  let cell: Cell
  let states: [Activation]
  /// Where the cell reads earlier inputs.
  private let delayed: DelayLine?
  private let projection: Projection

  public init(_ options: Cell.Options, reading input: Source, in plan: inout Plan) {
    let delays = Cell.inputDelays(options)
    delayed = delays == [0] ? nil : DelayLine(delays, reading: input, in: &plan)
    let known = plan.states.count
    cell = Cell(options, in: &plan)
    states = Array(plan.states[known...])
    projection = Projection(
      plan.width(cell.preactivation), reading: delayed.map { .activation($0.output) } ?? input,
      names: ("weight_ih", "bias_ih"), gates: Cell.gates(options),
      biasedGates: Cell.biasedGates(options),
      pytorch: .uniform(1 / Double(options.hidden).squareRoot()),
      parts: Cell.inputBias(options), secondBias: cell.recurrentBias, in: &plan)
    output = cell.output
  }

  public init(_ options: Cell.Options, reading input: Activation, in plan: inout Plan) {
    self.init(options, reading: .activation(input), in: &plan)
  }

  public func forward(_ pass: Pass) {
    delayed?.forward(pass)
    projection.forward(into: pass[cell.preactivation], pass)
    pass.mark(.input)
    for t in 0..<pass.steps {
      for state in states { pass.maskPast(of: state, t) }
      cell.forward(t, pass)
    }
    pass.mark(.pointwise, products: .recurrent)
  }

  public func backward(_ pass: Pass) {
    for t in (0..<pass.steps).reversed() {
      for state in states { pass.clearPast(of: state, t) }
      cell.backward(t, pass)
      for state in states { pass.unmaskPast(of: state, t) }
    }
    pass.mark(.pointwise, products: .recurrent)
    cell.accumulate(pass)
    pass.mark(.recurrent)
    projection.backward(from: pass.d[cell.preactivation], pass)
    delayed?.backward(pass)
    pass.mark(.input)
  }
}
