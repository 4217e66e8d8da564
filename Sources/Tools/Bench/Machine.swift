internal import LinearAlgebra

/// The limits of the processor and the memory of this rank, measured on the spot.
enum Machine {
  /// One product: a matrix of rows × inner times a weight of inner × columns.
  struct Product: Codable, Equatable, Sendable {
    let rows: Int
    let columns: Int
    let inner: Int
    /// The highest speed, in 10⁹ multiplications and additions per second.
    var gflops = 0.0

    init(_ rows: Int, _ columns: Int, _ inner: Int) {
      (self.rows, self.columns, self.inner) = (rows, columns, inner)
    }

    var operations: Double { 2 * Double(rows) * Double(columns) * Double(inner) }
    var words: String { "\(rows) × \(columns) × \(inner)" }
  }

  /// Typical products of training: over whole windows, and over one step inside the loop.
  static let products = [
    Product(700, 2600, 650), Product(20, 2600, 650), Product(64, 2048, 512),
    Product(512, 2048, 512), Product(700, 10_000, 650),
  ]

  /// Returns the products with the highest speed of each, measured through `LinearAlgebra` as
  /// layers use it.
  static func measured(_ precision: Precision, _ products: [Product] = products) -> [Product] {
    products.map { product in
      let a = Buffer<Real>(count: product.rows * product.inner)
      let w = Buffer<Real>(count: product.columns * product.inner)
      let c = Buffer<Real>(count: product.rows * product.columns)
      for memory in [a, w] {
        let row = Matrix(memory, rows: 1, columns: memory.count)[0]
        // Ordinary numbers, because zeros or denormals could be faster or slower than those of a
        // network.
        for j in 0..<row.count { row[j] = Real(j % 251) / 251 - 0.5 }
      }
      let left = Matrix(a, rows: product.rows, columns: product.inner)
      let stored = Matrix(w, rows: product.columns, columns: product.inner)
      let weights = WeightProducts([stored], precision: precision)
      weights.rowsOfStep = product.rows
      let result = Matrix(c, rows: product.rows, columns: product.columns)
      var found = product
      found.gflops =
        product.operations * 1e-9
        / withExtendedLifetime(weights) {
          fastest { result.setProduct(left, weights.weight(0, stored)) }
        }
      return found
    }
  }

  /// Measures the highest speed of sequential reads from memory by one rank, in 10⁹ bytes per
  /// second.
  static func readBandwidth(bytes: Int = 1 << 28) -> Double {
    let words = Buffer<UInt64>(count: bytes / 8)
    // The memory is written first, because untouched memory is the same page of zeros over and
    // over.
    let elements = words.elements()
    for j in 0..<elements.count { elements[j] = UInt64(j) }
    var checksum: UInt64 = 0
    let seconds = fastest { checksum ^= exclusiveOr(words) }
    // Using the result keeps the compiler from removing the reads.
    precondition(checksum == 0, "words that do not cancel out")
    return Double(bytes) * 1e-9 / seconds
  }

  /// Returns the shortest time of `body` in seconds, over at least four runs and 80 ms, after a
  /// first run.
  private static func fastest(_ body: () -> Void) -> Double {
    body()
    let clock = ContinuousClock()
    var (best, total, runs) = (Double.infinity, 0.0, 0)
    while runs < 4 || total < 0.08 {
      let seconds = clock.measure(body) / .seconds(1)
      best = min(best, seconds)
      total += seconds
      runs += 1
    }
    return max(best, 1e-9)
  }
}

/// Returns the exclusive or of all words. Unlike a sum of floats, it becomes vector instructions.
@inline(never) private func exclusiveOr(_ words: Buffer<UInt64>) -> UInt64 {
  let elements = words.elements()
  var result: UInt64 = 0
  for j in 0..<elements.count { result ^= elements[j] }
  return result
}
