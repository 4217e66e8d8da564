internal import LinearAlgebra

/// The scores `s(t, j) = v · tanh(q(t) W + k(j))` (Bahdanau 2014).
///
/// The hyperbolic tangents, one per pair of steps and unit, are not stored: the backward pass
/// computes them again.
struct AdditiveScores: Sendable {
  private let query: Activation
  /// q W; in the backward pass its gradient replaces it.
  private let projected: Activation
  private let weight, vector: Parameter
  /// A row of tangents, and ∂(q W) of one step and ∂k of one stream.
  private let tangents, stepSum, sourceSums: Scratch

  /// - Parameter names: The names of W and v.
  init(
    of query: Activation, names: (weight: String, vector: String) = ("weight_query", "v"),
    in plan: inout Plan
  ) {
    self.query = query
    let n = plan.width(query)
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    weight = plan.parameter(names.weight, from: n, to: n, pytorch: spread)
    vector = plan.vector(names.vector, count: n, pytorch: spread)
    projected = plan.activation(n, derivative: .overwrites)
    tangents = plan.scratch(n)
    stepSum = plan.scratch(n)
    sourceSums = plan.scratch(n, rows: .sourceSteps)
  }

  /// Computes q W before the scores of any stream.
  func begin(_ pass: Pass) { pass[projected].setProduct(pass[query], pass[weight]) }

  func forward(_ scores: Matrix, _ keys: Matrix, _ stream: Stream, _ pass: Pass) {
    let q = stream.steps(pass[projected])
    for t in 0..<scores.rows { score(scores[t], q[t], keys, stream, pass) }
  }

  /// Computes the scores of one step.
  func score(_ scores: Row, _ q: Row, _ keys: Matrix, _ stream: Stream, _ pass: Pass) {
    let (v, x) = (pass[vector].row, row(tangents, pass))
    for j in 0..<stream.length {
      respond(q, keys[j], x)
      scores[j] = x.dot(v)
    }
  }

  /// ∂v += ∂s x,  ∂(q W) = Σⱼ g,  ∂k = Σₜ g  with g = ∂s v ∘ (1 − x²) and x = tanh(q W + k)
  func backward(_ ds: Matrix, _ keys: Matrix, _ stream: Stream, _ pass: Pass) {
    let q = stream.steps(pass[projected])
    let dk = Matrix(pass.scratch(sourceSums), rows: keys.rows, columns: keys.columns)
    dk.fill(0)
    for t in 0..<ds.rows { differentiate(ds[t], q[t], keys, dk, stream, pass) }
    keys.copy(dk)
  }

  /// Runs the backward pass of one step and replaces its q with ∂(q W).
  func differentiate(
    _ ds: Row, _ q: Row, _ keys: Matrix, _ dk: Matrix, _ stream: Stream, _ pass: Pass
  ) {
    let (v, dv, dq) = (pass[vector].row, pass.d[vector].row, row(stepSum, pass))
    dq.elements.update(repeating: 0)
    for j in 0..<stream.length { trace(ds[j], q, keys[j], v, dv, dq, dk[j]) }
    q.copy(dq)
  }

  /// Accumulates the gradients of W and q, after the backward pass of all streams.
  func finish(_ pass: Pass) {
    let dq = pass.d[projected]
    pass.d[weight].addProduct(dq.transposed, pass[query])
    pass.d[query].addProduct(dq, pass[weight].transposed)
  }

  /// Computes q W of one step, if each query depends on the step before.
  func begin(_ t: Int, from query: Matrix, _ pass: Pass) {
    pass[projected, t].setProduct(query, pass[weight])
  }
  func query(_ t: Int, _ s: Int, _ pass: Pass) -> Row { pass[projected, t][s] }
  func finish(_ t: Int, into dQuery: Matrix, _ pass: Pass) {
    dQuery.addProduct(pass.d[projected, t], pass[weight].transposed)
  }
  /// - Parameter query: The queries of all steps.
  func accumulate(from query: Matrix, _ pass: Pass) {
    pass.d[weight].addProduct(pass.d[projected].transposed, query)
  }

  private func row(_ scratch: Scratch, _ pass: Pass) -> Row {
    let numbers = pass.scratch(scratch)
    return Matrix(numbers, rows: 1, columns: numbers.count)[0]
  }
}

/// x = tanh(q + k)
@inline(never) private func respond(_ q: Row, _ k: Row, _ x: Row) {
  for j in 0..<x.count { x[j] = tanh(q[j] + k[j]) }
}
@inline(never) private func trace(
  _ ds: Real, _ q: Row, _ k: Row, _ v: Row, _ dv: Row, _ dq: Row, _ dk: Row
) {
  for j in 0..<v.count {
    let x = tanh(q[j] + k[j])
    let g = ds * v[j] * (1 - x * x)
    dv[j] += ds * x
    dq[j] += g
    dk[j] += g
  }
}
