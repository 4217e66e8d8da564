internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// The parts of a gradient under a lossy compression: the matrices that are compressed, the numbers that are
/// sent whole (vectors and small matrices), and the touched rows of embeddings.
///
/// The gradient of a frozen matrix, which nothing uses, is not sent and becomes zero.
struct GradientParts {
  /// The parameters that are compressed.
  let matrices: [ParameterLayout.Entry]
  /// The count of numbers that are sent whole, without embeddings.
  let wholeCount: Int
  private let whole: [Range<Int>]
  private let frozen: [Range<Int>]
  private let rows: TouchedRows
  private let world: any Communicator

  /// - Parameter isWorthIt: True for a matrix whose compressed form is shorter.
  init(
    of layout: ParameterLayout, over world: any Communicator,
    compressing isWorthIt: (ParameterLayout.Entry) -> Bool
  ) {
    let dense = layout.entries.filter { !$0.isRowSparse }
    matrices = dense.filter { !$0.isVector && !$0.isFrozen && isWorthIt($0) }
    frozen = dense.filter { !$0.isVector && $0.isFrozen }.map(\.range)
    let others = (matrices.map(\.range) + frozen).sorted { $0.lowerBound < $1.lowerBound }
    var whole: [Range<Int>] = []
    var first = 0
    for other in others + [layout.dense.upperBound..<layout.dense.upperBound] {
      if other.lowerBound > first { whole.append(first..<other.lowerBound) }
      first = other.upperBound
    }
    self.whole = whole
    wholeCount = whole.reduce(0) { $0 + $1.count }
    rows = TouchedRows(of: layout, over: world)
    self.world = world
  }

  /// Sums what is sent whole, with other numbers that each rank has put at the start of a buffer, and clears
  /// frozen matrices. Collective.
  /// - Parameter buffer: Memory for those numbers and `wholeCount` more.
  /// - Returns: The bytes that this rank has sent; true if all sums are finite, on every rank.
  func sum(
    _ gradient: ParameterVector, with buffer: Buffer<Real>
  ) throws(CommunicationError) -> (bytes: Int, isFinite: Bool) {
    forEachWhole(in: buffer) { number, packed in packed.copy(row(gradient.buffer, number)) }
    try world.sum(buffer)
    forEachWhole(in: buffer) { number, packed in row(gradient.buffer, number).copy(packed) }
    for range in frozen { gradient.buffer.clear(range) }
    var areFinite = isFinite(row(buffer, 0..<buffer.count))
    let first = gradient.layout.dense.upperBound
    var count = buffer.count
    var bytes = 0
    if gradient.layout.count > first {
      count += try rows.sum(gradient, from: first) { count throws(CommunicationError) in
        try world.sum(gradient.buffer.elements(from: first, count: count))
        areFinite = areFinite && isFinite(row(gradient.buffer, first..<first + count))
      }
      bytes = rows.bytes
    }
    bytes += world.bytesSent(summing: count * MemoryLayout<Real>.stride)
    return (bytes, areFinite)
  }

  /// Calls `body` with each range of numbers that are sent whole, and with their places at the end of a
  /// buffer.
  private func forEachWhole(in buffer: Buffer<Real>, _ body: (Range<Int>, Row) -> Void) {
    var first = buffer.count - wholeCount
    for range in whole {
      body(range, row(buffer, first..<first + range.count))
      first += range.count
    }
  }

  /// Sets all compressed matrices to NaN, after which the step is not taken: some rank has a number that is
  /// not finite.
  func spoil(_ gradient: ParameterVector) {
    for entry in matrices { gradient[entry].fill(.nan) }
  }
}

/// Returns some numbers of a buffer as a row.
func row(_ buffer: Buffer<Real>, _ range: Range<Int>) -> Row {
  Matrix(buffer, offset: range.lowerBound, rows: 1, columns: range.count)[0]
}

/// Returns true if no number is infinite or NaN.
@inline(never) func isFinite(_ row: Row) -> Bool {
  // Zero times any other number is not zero.
  var lanes = SIMD16<Real>.zero
  let whole = row.count & ~15
  var j = 0
  while j < whole {
    var x = SIMD16<Real>.zero
    for k in 0..<16 { x[k] = row[j + k] }
    lanes += 0 * x
    j += 16
  }
  var total = lanes.sum()
  while j < row.count {
    total += 0 * row[j]
    j += 1
  }
  return total == 0
}
