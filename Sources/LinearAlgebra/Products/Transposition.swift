extension Matrix {
  /// Writes the transpose into `other`, block by block so that both sides stay in cache.
  func transpose(into other: Matrix) {
    precondition(
      other.rows == columns && other.columns == rows,
      "transposing \(rows)×\(columns) into \(other.rows)×\(other.columns)")
    let block = 16
    var i = 0
    while i < rows {
      let lines = Swift.min(block, rows - i)
      var j = 0
      while j < columns {
        let width = Swift.min(block, columns - j)
        if lines == block && width == block {
          transposeBlock(
            start + i * stride + j, stride, other.start + j * other.stride + i, other.stride)
        } else {
          for q in 0..<width { for p in 0..<lines { other[j + q][i + p] = self[i + p][j + q] } }
        }
        j += block
      }
      i += block
    }
  }
}

/// y[q][p] = x[p][q] for a block of 16 × 16.
@inline(never) private func transposeBlock(
  _ x: UnsafeMutablePointer<Real>, _ strideX: Int, _ y: UnsafeMutablePointer<Real>, _ strideY: Int
) {
  for q in 0..<16 {
    for p in 0..<16 { y[q * strideY + p] = x[p * strideX + q] }
  }
}
