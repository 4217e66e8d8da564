// Many random numbers at once: equal to the single ones, at a fraction of the time.
extension Philox {
  /// Sets every element to `scale` · (2u − 1), where u is the uniform number of its index in
  /// reading order.
  public func fillUniform(_ matrix: Matrix, scale: Double) {
    matrix.inReadingOrder { row, first in fillUniform(row, from: first, scale: scale) }
  }

  /// Sets every element to `scale` times the normal number of its index in reading order.
  public func fillNormal(_ matrix: Matrix, scale: Double) {
    matrix.inReadingOrder { row, first in fillNormal(row, from: first, scale: scale) }
  }

  /// Sets element j to `scale` · (2u − 1), where u is the uniform number of index `first` + j.
  public func fillUniform(_ row: Row, from first: UInt64, scale: Double) {
    eachPiece(of: row.count, from: first, numbersPerCounter: 4) { words, part in
      spread(words, scale, row[part])
    }
  }

  /// Sets element j to `scale` times the normal number of index `first` + j.
  public func fillNormal(_ row: Row, from first: UInt64, scale: Double) {
    eachPiece(of: row.count, from: first, numbersPerCounter: 1) { words, part in
      spreadNormally(words, scale, row[part])
    }
  }

  /// Generates the words of many indices, a few at a time on the stack, so that this becomes vector
  /// instructions. The words passed to `body` start with those of the first number of its range.
  private func eachPiece(
    of count: Int, from first: UInt64, numbersPerCounter: Int,
    _ body: (UnsafePointer<UInt32>, Range<Int>) -> Void
  ) {
    precondition(
      first + UInt64(count) < UInt64(numbersPerCounter) << 32, "more numbers than counters")
    let piece = 512
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: piece) { drawn in
      var j = 0
      while j < count {
        let index = Int(first) + j
        let (counter, skipped) = (index / numbersPerCounter, index % numbersPerCounter)
        let part = j..<min(j + piece / 4 * numbersPerCounter - skipped, count)
        let needed = (skipped + part.count + numbersPerCounter - 1) / numbersPerCounter
        draw(
          Self.counter(UInt64(counter)),
          into: UnsafeMutableBufferPointer(rebasing: drawn[..<(4 * needed)]))
        body(drawn.baseAddress! + skipped, part)
        j = part.upperBound
      }
    }
  }
}

extension Matrix {
  /// Calls `body` with long pieces of the matrix and the index of each piece's first element.
  fileprivate func inReadingOrder(_ body: (Row, UInt64) -> Void) {
    if stride == columns { return body(Row(start, count: rows * columns), 0) }
    for i in 0..<rows { body(self[i], UInt64(i * columns)) }
  }
}

/// x = scale · (2u − 1), where u is the uniform number of each word.
@inline(never)
private func spread(_ words: UnsafePointer<UInt32>, _ scale: Double, _ x: Row) {
  for j in 0..<x.count { x[j] = Real(scale * (2 * Philox.unit(words[j]) - 1)) }
}

/// x = scale times the normal number of each four words.
@inline(never)
private func spreadNormally(_ words: UnsafePointer<UInt32>, _ scale: Double, _ x: Row) {
  for j in 0..<x.count { x[j] = Real(scale * Philox.normal(words[4 * j], words[4 * j + 1])) }
}
