/// A square matrix with the same few numbers other than zero in every row.
public struct SparseRows: Sendable {
  /// The number of rows and of columns.
  public let size: Int
  /// How many numbers a row has.
  public let perRow: Int
  /// Row by row, the columns of its numbers, rising.
  public let columns: [Int]
  /// The same, the numbers.
  public private(set) var values: [Double]

  public init(size: Int, perRow: Int, columns: [Int], values: [Double]) {
    precondition(
      columns.count == size * perRow && values.count == columns.count,
      "\(columns.count) columns and \(values.count) numbers for \(size) rows of \(perRow)")
    precondition(columns.allSatisfy { (0..<size).contains($0) }, "a column beyond \(size)")
    self.size = size
    self.perRow = perRow
    self.columns = columns
    self.values = values
  }

  /// Numbers U(±1) in `perRow` columns of each row, all sets of columns with the same chance.
  public init(size: Int, perRow: Int, from random: Philox) {
    var (columns, values): ([Int], [Double]) = ([], [])
    var used = [Int](repeating: -1, count: size)
    var next: UInt64 = 0
    func draw() -> Double {
      defer { next += 1 }
      return random.uniform(next)
    }
    for row in 0..<size {
      // One more candidate for each column; a candidate that is taken stands for itself (Floyd 1987).
      var chosen: [Int] = []
      for limit in size - perRow..<size {
        let drawn = Int(draw() * Double(limit + 1))
        let column = used[drawn] == row ? limit : drawn
        used[column] = row
        chosen.append(column)
      }
      columns += chosen.sorted()
      for _ in 0..<perRow { values.append(2 * draw() - 1) }
    }
    self.init(size: size, perRow: perRow, columns: columns, values: values)
  }

  /// Multiplies every number.
  public mutating func scale(by factor: Double) {
    for index in values.indices { values[index] *= factor }
  }

  /// The largest absolute value of an eigenvalue, to about 1e-4 of it: how fast the norm of A A … A v
  /// grows for a vector v that is nothing special.
  ///
  /// Where a complex pair leads, or several eigenvalues nearly do, the norm swings about its growth; the
  /// slope of its logarithm by least squares over thousands of steps takes the swinging out. Plain sums
  /// in one order: the same bits on every processor.
  public var spectralRadius: Double {
    let (skipped, measured) = (4_000, 8_000)
    let random = Philox(seed: 1, name: "spectral radius")
    var v = (0..<size).map { random.normal(UInt64($0)) }
    var w = v
    var logarithm = 0.0
    var (slope, square) = (0.0, 0.0)
    for step in 0..<skipped + measured {
      let norm = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard norm > 0 else { return 0 }
      logarithm += naturalLogarithm(norm)
      if step >= skipped {
        let distance = Double(step - skipped) - Double(measured - 1) / 2
        slope += distance * logarithm
        square += distance * distance
      }
      for index in v.indices { v[index] /= norm }
      multiply(v, into: &w)
      swap(&v, &w)
    }
    return exponential(slope / square)
  }

  /// y = A x
  public func multiply(_ x: [Double], into y: inout [Double]) {
    precondition(x.count == size && y.count == size, "a product with \(x.count) numbers")
    var index = 0
    for row in 0..<size {
      var sum = 0.0
      for _ in 0..<perRow {
        sum += values[index] * x[columns[index]]
        index += 1
      }
      y[row] = sum
    }
  }
}
