internal import LinearAlgebra

/// The scores `s(t, j) = v · tanh(q(t) W + k(j))` (Bahdanau 2014).
///
/// The hyperbolic tangents, one for each pair of steps and unit, are not kept: the way back takes them
/// again.
struct AdditiveScores: Sendable {
  private let query: Activation
  /// q W; its derivative takes its place.
  private let projected: Activation
  private let weight, vector: Parameter
  /// A row of tangents, and ∂(q W) at one step and ∂k of one stream.
  private let tangents, stepSum, sourceSums: Scratch

  init(of query: Activation, in plan: inout Plan) {
    self.query = query
    let n = plan.width(query)
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    weight = plan.parameter("weight_query", from: n, to: n, pytorch: spread)
    vector = plan.vector("v", count: n, pytorch: spread)
    projected = plan.activation(n, derivative: .overwrites)
    tangents = plan.scratch(n)
    stepSum = plan.scratch(n)
    sourceSums = plan.scratch(n, rows: .sourceSteps)
  }

  /// Before the scores of any stream are taken.
  func begin(_ pass: Pass) { pass[projected].setProduct(pass[query], pass[weight]) }

  func forward(_ scores: Matrix, _ keys: Matrix, _ stream: Stream, _ pass: Pass) {
    let (q, v, x) = (stream.steps(pass[projected]), pass[vector].row, row(tangents, pass))
    for t in 0..<scores.rows {
      for j in 0..<stream.length {
        respond(q[t], keys[j], x)
        scores[t, j] = x.dot(v)
      }
    }
  }

  /// ∂v += ∂s x,  ∂(q W) = Σⱼ g,  ∂k = Σₜ g  with g = ∂s v ∘ (1 − x²) and x = tanh(q W + k)
  func backward(_ ds: Matrix, _ keys: Matrix, _ stream: Stream, _ pass: Pass) {
    let (q, v, dv) = (stream.steps(pass[projected]), pass[vector].row, pass.d[vector].row)
    let dq = row(stepSum, pass)
    let dk = Matrix(pass.scratch(sourceSums), rows: keys.rows, columns: keys.columns)
    dk.fill(0)
    for t in 0..<ds.rows {
      dq.elements.update(repeating: 0)
      for j in 0..<stream.length { differentiate(ds[t, j], q[t], keys[j], v, dv, dq, dk[j]) }
      q[t].copy(dq)
    }
    keys.copy(dk)
  }

  /// After the way back of all streams.
  func finish(_ pass: Pass) {
    let dq = pass.d[projected]
    pass.d[weight].addProduct(dq.transposed, pass[query])
    pass.d[query].addProduct(dq, pass[weight].transposed)
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
@inline(never) private func differentiate(
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
