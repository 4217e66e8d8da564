internal import LinearAlgebra

/// The affine map that a layer begins with, for all steps of a window at once: `y = x W + b + b′`.
///
/// Where x is looked up, y depends on the symbol alone. With S the matrix that picks for each row its
/// symbol among the window's D different ones, and E their D rows of the table,
///
///     P = E W + b + b′,   y = S P
///     ∂P = Sᵀ ∂y,   ∂W += Eᵀ ∂P,   ∂b += Σ ∂P,   ∂E += ∂P Wᵀ
///
/// so that the three products have D rows instead of one for each step of each stream.
struct Projection: Sendable {
  private let source: Source
  private let weight: Parameter
  /// Of the last columns of y; nil for none.
  private let bias: Parameter?
  private let secondBias: Parameter?
  private let sums: Scratch
  /// E and P, or their derivatives; of a lookup alone.
  private let rows, projected: Scratch?

  /// - Parameters:
  ///   - names: what W and b are called.
  ///   - gates: how many equal blocks are stacked in W.
  ///   - biasedGates: how many of them, the last ones, have a bias.
  ///   - secondBias: b′, a parameter of somebody else.
  init(
    _ width: Int, reading source: Source, names: (weight: String, bias: String), gates: Int = 1,
    biasedGates: Int? = nil, pytorch spread: Distribution, parts: [InitialValue.Part] = [],
    secondBias: Parameter? = nil,
    in plan: inout Plan
  ) {
    self.source = source
    self.secondBias = secondBias
    weight = plan.parameter(
      names.weight, from: plan.width(source), to: width, gates: gates, pytorch: spread)
    let biased = width / gates * (biasedGates ?? gates)
    precondition(secondBias == nil || biased == width, "a second bias without all of the first")
    bias =
      biased == 0 ? nil : plan.vector(names.bias, count: biased, pytorch: spread, parts: parts)
    sums = plan.scratch(width)
    switch source {
    case .activation: (rows, projected) = (nil, nil)
    case .lookup(let lookup):
      rows = plan.scratch(lookup.width, rows: .each(of: lookup.vocabulary))
      projected = plan.scratch(width, rows: .each(of: lookup.vocabulary))
    }
  }

  func forward(into y: Matrix, _ pass: Pass) {
    switch source {
    case .activation(let x): project(pass[x], into: y, pass)
    case .lookup(let lookup):
      let e = matrix(rows!, lookup.width, pass)
      let p = matrix(projected!, y.columns, pass)
      lookup.read(into: e, pass)
      pass.mark(.embedding)
      project(e, into: p, pass)
      y.gather(p, at: pass.batch.distinct.places)
    }
  }

  /// Adds to the derivatives of the parameters and of what is read.
  func backward(from dy: Matrix, _ pass: Pass) {
    switch source {
    case .activation(let x):
      accumulate(dy, pass[x], pass)
      pass.d[x].addProduct(dy, pass[weight].transposed)
    case .lookup(let lookup):
      let e = matrix(rows!, lookup.width, pass)
      let dp = matrix(projected!, dy.columns, pass)
      dp.fill(0)
      dp.addScattered(dy, at: pass.batch.distinct.places)
      lookup.read(into: e, pass)
      accumulate(dp, e, pass)
      // E is not needed any more: its derivative takes its place.
      e.setProduct(dp, pass[weight].transposed)
      pass.mark(.input)
      lookup.add(e, pass)
      pass.mark(.embedding)
    }
  }

  private func matrix(_ scratch: Scratch, _ columns: Int, _ pass: Pass) -> Matrix {
    Matrix(pass.scratch(scratch), rows: pass.batch.distinct.count, columns: columns)
  }

  private func project(_ x: Matrix, into y: Matrix, _ pass: Pass) {
    guard let bias else { return y.setProduct(x, pass[weight]) }
    let b = pass[bias].matrix
    let biases = y.slice(rows: 0..<1)
    let unbiased = y.columns - b.columns
    biases.slice(columns: 0..<unbiased).fill(0)
    biases.slice(columns: unbiased..<y.columns).copy(b)
    if let secondBias { biases.add(pass[secondBias].matrix) }
    y.slice(rows: 1..<y.rows).fillEveryRow(biases[0])
    y.addProduct(x, pass[weight])
  }

  private func accumulate(_ dy: Matrix, _ x: Matrix, _ pass: Pass) {
    pass.d[weight].addProduct(dy.transposed, x)
    guard let bias else { return }
    let total = Matrix(pass.scratch(sums), rows: 1, columns: dy.columns)
    total.fill(0)
    total.addColumnSums(dy)
    let db = pass.d[bias]
    db.add(total.slice(columns: dy.columns - db.matrix.columns..<dy.columns))
    if let secondBias { pass.d[secondBias].add(total) }
  }
}
