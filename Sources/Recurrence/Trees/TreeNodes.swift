internal import LinearAlgebra
internal import Sequences

/// The word vectors of the leaves, `x = E[word]`, in the first rows. Other nodes have none.
struct LeafEmbedding: Layer {
  let output: Activation
  private let table: Parameter

  init(vocabulary: Int, width: Int, in plan: inout Plan) {
    table = Lookup(vocabulary: vocabulary, width: width, isTied: false, in: &plan).table
    output = plan.activation(width)
  }

  func forward(_ pass: Pass) {
    let x = pass[output]
    let leaves = pass.forest.leaves
    x.slice(rows: 0..<leaves).gather(pass[table].matrix, at: pass.batch.inputs)
    // No node reads the other rows, but dropout runs over them.
    x.slice(rows: leaves..<x.rows).fill(0)
    pass.mark(.embedding)
  }

  func backward(_ pass: Pass) {
    let dx = pass.d[output].slice(rows: 0..<pass.forest.leaves)
    pass.d.addScattered(dx, at: pass.batch.inputs, to: table)
    pass.mark(.embedding)
  }
}

/// The part that all nodes with children share: `a = [h_l, h_r] W`, one height after another, with
/// zeros in place of a missing child.
struct TreeNodes: Sendable {
  /// h
  let output: Activation
  /// [h_l, h_r]
  private let children: Activation
  /// Its gradient, kept for one height only.
  private let dChildren: Scratch
  /// W
  let weight: Parameter
  private let width: Int

  init(_ output: Activation, weight: Parameter, in plan: inout Plan) {
    self.output = output
    self.weight = weight
    width = plan.width(output)
    children = plan.activation(2 * width, derivative: .none)
    dChildren = plan.scratch(2 * width, rows: .each(of: .max))
  }

  /// a += [h_l, h_r] W for the nodes of one height.
  func combine(_ rows: Range<Int>, into a: Matrix, _ pass: Pass) {
    let h = pass[output]
    let both = pass[children].slice(rows: rows)
    let (left, right) = (pass.forest.left.elements(), pass.forest.right.elements())
    for (k, row) in rows.enumerated() {
      take(left[row], of: h, into: both[k].part(0, of: 2))
      take(right[row], of: h, into: both[k].part(1, of: 2))
    }
    a.addProduct(both, pass[weight])
  }

  /// ∂[h_l, h_r] += ∂a Wᵀ for the nodes of one height.
  func divide(_ da: Matrix, _ rows: Range<Int>, _ pass: Pass) {
    let dh = pass.d[output]
    let both = Matrix(pass.scratch(dChildren), rows: rows.count, columns: 2 * width)
    both.setProduct(da, pass[weight].transposed)
    let (left, right) = (pass.forest.left.elements(), pass.forest.right.elements())
    for (k, row) in rows.enumerated() {
      if left[row] >= 0 { dh[Int(left[row])].add(both[k].part(0, of: 2)) }
      if right[row] >= 0 { dh[Int(right[row])].add(both[k].part(1, of: 2)) }
    }
  }

  /// ∂W += ∂aᵀ [h_l, h_r] over all nodes with children.
  func accumulate(_ da: Matrix, _ pass: Pass) {
    let rows = pass.forest.leaves..<pass.batch.rows
    pass.d[weight].addProduct(
      da.slice(rows: rows).transposed, pass[children].slice(rows: rows))
  }

  private func take(_ child: Int32, of h: Matrix, into row: Row) {
    if child < 0 { row.fill(0) } else { row.copy(h[Int(child)]) }
  }
}

extension Pass {
  /// The trees of the batch.
  var forest: Forest {
    guard let forest = batch.forest else { preconditionFailure("a batch without trees") }
    return forest
  }
}
