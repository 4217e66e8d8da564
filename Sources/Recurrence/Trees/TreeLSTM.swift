internal import LinearAlgebra

/// The tree-LSTM with two children (Tai, Socher & Manning 2015, the N-ary one with N = 2), in which
/// only leaves read a word x:
///
///     i, o, f_l, f_r = σ(x W + [h_l, h_r] U + b)      g = tanh(x W + [h_l, h_r] U + b)
///     c = i ∘ g + f_l ∘ c_l + f_r ∘ c_r               h = o ∘ tanh c
///
/// Gates lie in the order i, o, g, f_l, f_r. A leaf has x and no children; other nodes have
/// children and no x. Both use the same b.
struct TreeLSTM: Layer {
  let output: Activation
  private let words: Activation
  private let gates: Activation
  private let memory: Activation
  private let nodes: TreeNodes
  /// W of the gates i, o and g.
  private let input: Parameter
  private let bias: Parameter

  init(hidden n: Int, reading words: Activation, in plan: inout Plan) {
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    self.words = words
    output = plan.activation(n)
    gates = plan.activation(5 * n, derivative: .overwrites)
    memory = plan.activation(n)
    input = plan.parameter(
      "weight_ih", from: plan.width(words), to: 3 * n, gates: 3, pytorch: spread)
    let weight = plan.parameter("weight_hh", from: 2 * n, to: 5 * n, gates: 5, pytorch: spread)
    bias = plan.vector("bias", count: 5 * n, pytorch: spread)
    nodes = TreeNodes(output, weight: weight, in: &plan)
  }

  func forward(_ pass: Pass) {
    let forest = pass.forest
    let leaves = leafGates(pass[gates], pass)
    leaves.fillEveryRow(pass[bias].row[0..<leaves.columns])
    leaves.addProduct(pass[words].slice(rows: 0..<forest.leaves), pass[input])
    remember(0..<forest.leaves, pass)
    for height in 1..<max(forest.heights, 1) {
      let rows = forest.rows(ofHeight: height)
      let a = pass[gates].slice(rows: rows)
      a.fillEveryRow(pass[bias].row)
      nodes.combine(rows, into: a, pass)
      remember(rows, pass)
    }
  }

  /// Computes c and h of some nodes from the preactivations of their gates.
  private func remember(_ rows: Range<Int>, _ pass: Pass) {
    let (a, c, h) = (pass[gates], pass[memory], pass[output])
    let (left, right) = (pass.forest.left.elements(), pass.forest.right.elements())
    for row in rows {
      let gates = Gates(a[row])
      write(gates.i, gates.g, c[row])
      if left[row] >= 0 { keep(gates.left, c[Int(left[row])], c[row]) }
      if right[row] >= 0 { keep(gates.right, c[Int(right[row])], c[row]) }
      MemoryKernels.respond(gates.o, c[row], h[row])
    }
  }

  func backward(_ pass: Pass) {
    let forest = pass.forest
    let da = pass.d[gates]
    for height in (1..<max(forest.heights, 1)).reversed() {
      let rows = forest.rows(ofHeight: height)
      differentiate(rows, pass)
      nodes.divide(da.slice(rows: rows), rows, pass)
    }
    differentiate(0..<forest.leaves, pass)
    let leaves = leafGates(da, pass)
    let x = 0..<forest.leaves
    pass.d[words].slice(rows: x).addProduct(leaves, pass[input].transposed)
    pass.d[input].addProduct(leaves.transposed, pass[words].slice(rows: x))
    pass.d[bias].slice(columns: 0..<leaves.columns).addColumnSums(leaves)
    nodes.accumulate(da, pass)
    pass.d[bias].addColumnSums(da.slice(rows: forest.leaves..<da.rows))
  }

  /// Replaces the gates of some nodes with their gradients, and adds to the gradients of their
  /// children's memories.
  private func differentiate(_ rows: Range<Int>, _ pass: Pass) {
    let (a, c) = (pass[gates], pass[memory])
    let (dc, dh) = (pass.d[memory], pass.d[output])
    let (left, right) = (pass.forest.left.elements(), pass.forest.right.elements())
    for row in rows {
      let gates = Gates(a[row])
      MemoryKernels.differentiateOutput(dh[row], c[row], gates.o, dc[row])
      differentiate(gates.left, left[row], c, dc, row)
      differentiate(gates.right, right[row], c, dc, row)
      unwrite(dc[row], gates.i, gates.g)
    }
  }

  private func differentiate(_ f: Row, _ child: Int32, _ c: Matrix, _ dc: Matrix, _ row: Int) {
    if child < 0 { f.fill(0) } else { forget(dc[row], c[Int(child)], f, dc[Int(child)]) }
  }

  /// Returns the gates i, o and g of the leaves.
  private func leafGates(_ a: Matrix, _ pass: Pass) -> Matrix {
    a.slice(rows: 0..<pass.forest.leaves).slice(columns: 0..<a.columns / 5 * 3)
  }

  /// The gates of a node.
  private struct Gates {
    let i, o, g, left, right: Row

    @inline(__always) init(_ a: Row) {
      i = a.part(0, of: 5)
      o = a.part(1, of: 5)
      g = a.part(2, of: 5)
      left = a.part(3, of: 5)
      right = a.part(4, of: 5)
    }
  }
}

/// i = σ(i), g = tanh(g), c = i ∘ g
@inline(never) private func write(_ i: Row, _ g: Row, _ c: Row) {
  for j in 0..<c.count {
    let (input, candidate) = (sigmoid(i[j]), tanh(g[j]))
    i[j] = input
    g[j] = candidate
    c[j] = input * candidate
  }
}
/// f = σ(f), c += f ∘ c of a child
@inline(never) private func keep(_ f: Row, _ child: Row, _ c: Row) {
  for j in 0..<c.count {
    let gate = sigmoid(f[j])
    f[j] = gate
    c[j] += gate * child[j]
  }
}
/// ∂c of a child += ∂c ∘ f, and f becomes ∂f = ∂c ∘ c of the child ∘ f ∘ (1 − f)
@inline(never) private func forget(_ dc: Row, _ child: Row, _ f: Row, _ dChild: Row) {
  for j in 0..<dc.count {
    let gate = f[j]
    dChild[j] += dc[j] * gate
    f[j] = dc[j] * child[j] * (gate * (1 - gate))
  }
}
/// i becomes ∂i = ∂c ∘ g ∘ i ∘ (1 − i), and g becomes ∂g = ∂c ∘ i ∘ (1 − g²)
@inline(never) private func unwrite(_ dc: Row, _ i: Row, _ g: Row) {
  for j in 0..<dc.count {
    let (input, candidate) = (i[j], g[j])
    i[j] = dc[j] * candidate * (input * (1 - input))
    g[j] = dc[j] * input * (1 - candidate * candidate)
  }
}
