internal import LinearAlgebra

/// A square matrix that is zero but for blocks of 4 × 4 numbers on its diagonal:
///
///     y(4b + o) = Σ_d w(4b + o, d) x(4b + d),   d, o = 0 … 3
struct DiagonalBlocks: Sendable {
  static let size = 4

  /// w, `[width, 4]`: one block below the other.
  private let weight: Parameter
  /// The blocks transposed.
  private let transposed: Scratch

  init(_ name: String, width: Int, in plan: inout Plan) {
    precondition(width.isMultiple(of: Self.size), "blocks of 4 in \(width) numbers")
    // Half the width of the cell is that of its block, by which the reference counts.
    let spread = Distribution.normal((4 / (5 * Double(width))).squareRoot())
    // A row reads four numbers, whatever the width of the model.
    weight = plan.parameter(
      name, from: Self.size, to: width, gates: width / Self.size, pytorch: spread, readsData: true)
    transposed = plan.scratch(Self.size * width)
  }

  /// Computes y of every row.
  func multiply(_ x: Matrix, into y: Matrix, _ pass: Pass) {
    let w = pass[weight].matrix
    let blocks = Row(pass.scratch(transposed).start, count: w.rows * w.columns)
    transposeBlocks(w.flattened, into: blocks)
    for i in 0..<x.rows {
      y[i].fill(0)
      addBlocks(x[i], blocks, to: y[i])
    }
  }

  /// ∂x += ∂y wᵀ for every row.
  func addGradient(_ dy: Matrix, to dx: Matrix, _ pass: Pass) {
    let w = pass[weight].matrix.flattened
    for i in 0..<dy.rows { addBlocks(dy[i], w, to: dx[i]) }
  }

  /// ∂w += Σ ∂y xᵀ of all rows.
  func accumulate(_ dy: Matrix, reading x: Matrix, _ pass: Pass) {
    let dw = pass.d[weight].matrix.flattened
    for i in 0..<dy.rows { addOuterProducts(dy[i], x[i], to: dw) }
  }
}

/// w′(4b + d, o) = w(4b + o, d)
@inline(never) private func transposeBlocks(_ w: Row, into transposed: Row) {
  for block in stride(from: 0, to: w.count, by: 16) {
    for o in 0..<4 {
      for d in 0..<4 { transposed[block + 4 * d + o] = w[block + 4 * o + d] }
    }
  }
}
/// y(4b + o) += Σ_d w(4b + d, o) x(4b + d)
@inline(never) private func addBlocks(_ x: Row, _ w: Row, to y: Row) {
  for j in stride(from: 0, to: y.count, by: 4) {
    var sum = y.four(j)
    for d in 0..<4 { sum += x[j + d] * w.four(4 * (j + d)) }
    y.setFour(j, sum)
  }
}
/// ∂w(4b + o, d) += ∂y(4b + o) x(4b + d)
@inline(never) private func addOuterProducts(_ dy: Row, _ x: Row, to dw: Row) {
  for j in stride(from: 0, to: x.count, by: 4) {
    let read = x.four(j)
    for o in 0..<4 {
      let k = 4 * (j + o)
      dw.setFour(k, dw.four(k) + dy[j + o] * read)
    }
  }
}

extension Row {
  /// The elements j to j + 3.
  @inline(__always) fileprivate func four(_ j: Int) -> SIMD4<Real> {
    SIMD4(self[j], self[j + 1], self[j + 2], self[j + 3])
  }

  @inline(__always) fileprivate func setFour(_ j: Int, _ value: SIMD4<Real>) {
    for k in 0..<4 { self[j + k] = value[k] }
  }
}
