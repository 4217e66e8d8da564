/// A sparse square matrix with the same number of nonzeros in every row.
public struct SparseRows: Sendable {
  /// The number of rows, which is also the number of columns.
  public let size: Int
  /// The number of nonzeros per row.
  public let perRow: Int
  /// The columns of the nonzeros, row by row, in rising order.
  public let columns: [Int]
  /// The values of the nonzeros, in the same order.
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

  /// Makes a matrix with values from U(±1) in `perRow` random columns of each row.
  public init(size: Int, perRow: Int, from random: Philox) {
    var (columns, values): ([Int], [Double]) = ([], [])
    var used = [Int](repeating: -1, count: size)
    var next: UInt64 = 0
    func draw() -> Double {
      defer { next += 1 }
      return random.uniform(next)
    }
    for row in 0..<size {
      // Each column adds one more candidate; if the sampled one is taken already, the new candidate
      // is used (Floyd 1987).
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

  /// Multiplies every value by a factor.
  public mutating func scale(by factor: Double) {
    for index in values.indices { values[index] *= factor }
  }

  /// The largest absolute eigenvalue, to a relative error of about 1e-4: the growth rate of the
  /// norm of A A … A v for a generic vector v.
  ///
  /// If a complex pair or several nearly equal eigenvalues dominate, the norm oscillates about its
  /// growth. The slope of its logarithm, fitted by least squares over thousands of steps, averages
  /// the oscillation out. Sums have a fixed order, so the result has the same bits on every
  /// processor.
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
