internal import LinearAlgebra

/// The recursive network (Socher 2011, 2013). A leaf is its word's vector, and every other node is
///
///     h = tanh([h_l, h_r] W + b)
struct PlainTree: Layer {
  let output: Activation
  private let words: Activation
  private let preactivation: Activation
  private let nodes: TreeNodes
  private let bias: Parameter

  /// - Parameter words: The vectors of the leaves, as wide as h.
  init(reading words: Activation, in plan: inout Plan) {
    let n = plan.width(words)
    let spread = Distribution.uniform(1 / Double(2 * n).squareRoot())
    self.words = words
    output = plan.activation(n)
    preactivation = plan.activation(n, derivative: .overwrites)
    let weight = plan.parameter("weight_hh", from: 2 * n, to: n, pytorch: spread)
    bias = plan.vector("bias", count: n, pytorch: spread)
    nodes = TreeNodes(output, weight: weight, in: &plan)
  }

  func forward(_ pass: Pass) {
    let h = pass[output]
    let forest = pass.forest
    let leaves = 0..<forest.leaves
    h.slice(rows: leaves).copy(pass[words].slice(rows: leaves))
    for height in 1..<max(forest.heights, 1) {
      let rows = forest.rows(ofHeight: height)
      let a = pass[preactivation].slice(rows: rows)
      a.fillEveryRow(pass[bias].row)
      nodes.combine(rows, into: a, pass)
      for k in 0..<rows.count { respond(a[k], h[rows.lowerBound + k]) }
    }
  }

  func backward(_ pass: Pass) {
    let (h, dh, da) = (pass[output], pass.d[output], pass.d[preactivation])
    let forest = pass.forest
    for height in (1..<max(forest.heights, 1)).reversed() {
      let rows = forest.rows(ofHeight: height)
      for row in rows { differentiate(h[row], dh[row], da[row]) }
      nodes.divide(da.slice(rows: rows), rows, pass)
    }
    let leaves = 0..<forest.leaves
    pass.d[words].slice(rows: leaves).add(dh.slice(rows: leaves))
    nodes.accumulate(da, pass)
    pass.d[bias].addColumnSums(da.slice(rows: forest.leaves..<da.rows))
  }
}

/// h = tanh a
@inline(never) private func respond(_ a: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = tanh(a[j]) }
}
/// ∂a = ∂h ∘ (1 − h²)
@inline(never) private func differentiate(_ h: Row, _ dh: Row, _ da: Row) {
  for j in 0..<h.count { da[j] = dh[j] * (1 - h[j] * h[j]) }
}
