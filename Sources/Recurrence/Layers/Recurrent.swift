internal import LinearAlgebra

/// A cell unrolled over the time steps of a window.
///
/// The preactivation of all steps is one product before the loop, the gradients of the weights one
/// product each after it. Streams that start anew inside the window are handled here and nowhere else.
public struct Recurrent<Cell: RecurrentCell>: Layer {
  public let output: Activation
  let cell: Cell
  let input: Activation
  let weight: Parameter
  let bias: Parameter
  let states: [Activation]
  let sums: Scratch

  public init(_ options: Cell.Options, reading input: Activation, in plan: inout Plan) {
    let known = plan.states.count
    cell = Cell(options, in: &plan)
    states = Array(plan.states[known...])
    let width = plan.width(cell.preactivation)
    let spread = Distribution.uniform(1 / Double(options.hidden).squareRoot())
    weight = plan.parameter(
      "weight_ih", from: plan.width(input), to: width, gates: Cell.gates, pytorch: spread)
    bias = plan.vector(
      "bias_ih", count: width, pytorch: spread, parts: Cell.inputBias(options))
    sums = plan.scratch(width)
    self.input = input
    output = cell.output
  }

  public func forward(_ pass: Pass) {
    let a = pass[cell.preactivation]
    let biases = a.slice(rows: 0..<1)
    biases.copy(pass[bias].matrix)
    if let second = cell.recurrentBias { biases.add(pass[second].matrix) }
    a.slice(rows: 1..<a.rows).fillEveryRow(biases[0])
    a.addProduct(pass[input], pass[weight])
    for t in 0..<pass.steps {
      for state in states { pass.maskPast(of: state, t) }
      cell.forward(t, pass)
    }
  }

  public func backward(_ pass: Pass) {
    for t in (0..<pass.steps).reversed() {
      for state in states { pass.clearPast(of: state, t) }
      cell.backward(t, pass)
      for state in states { pass.unmaskPast(of: state, t) }
    }
    cell.accumulate(pass)
    let da = pass.d[cell.preactivation]
    pass.d[weight].addProduct(da.transposed, pass[input])
    pass.d[input].addProduct(da, pass[weight].transposed)
    let total = Matrix(pass.scratch(sums), rows: 1, columns: da.columns)
    total.fill(0)
    total.addColumnSums(da)
    pass.d[bias].add(total)
    if let second = cell.recurrentBias { pass.d[second].add(total) }
  }
}
