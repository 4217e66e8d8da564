internal import Collectives
internal import Configuration
internal import LinearAlgebra
package import Recurrence

/// A sum of gradients after which each rank has the sum of its own slice alone, `gradient.slice`, and
/// afterwards updates that slice of the weights.
///
/// The owner of a slice reads it in the gradients of all ranks of its host, which lie in shared memory, and
/// adds them in the order of ranks. The owners of the same slice on several hosts then sum it with messages, in
/// the order of hosts: a host sends 2 n (H − 1)/H numbers of n, however many ranks it has.
///
/// Large gradients are summed as soon as all ranks have them, and the memory of what other ranks own is
/// then returned to the system: the gradient of a rank never exists whole.
final class SlicedReducer: GradientReducer, BackwardObserver {
  /// A part of this rank's slice that is summed by itself.
  private struct Bucket {
    let numbers: Range<Int>
    /// The sum over hosts; nil on one host.
    let sum: (any PendingSum)?
  }

  private let grid: RankGrid
  private let overlaps: Bool
  private let gradient: ParameterVector
  /// True for each part of each stage of which some rank releases pages.
  private let releases: [[Bool]]
  /// For each part of each stage, the pages of this rank's gradient that nobody needs once it is summed.
  private let released: [[[Range<Int>]]]
  /// The same of the table.
  private let releasedTable: [Range<Int>]
  /// The ranges that are never released; nil if nothing is.
  private let kept: [Range<Int>]?
  private let terms: OrderedTerms
  /// For each part of each stage, this rank's buckets.
  private let stages: [[[Bucket]]]
  private let rows: TouchedRows
  private let table: [ParameterBlock]
  /// The touched rows of this rank's part of the table, side by side, and their sum over hosts.
  private let packed: Buffer<Real>
  private let packedSum: (any PendingSum)?

  /// The stages of this step that are complete, and the parts of the next one.
  private var (stage, part) = (0, 0)
  private let clock = ContinuousClock()
  private var start: ContinuousClock.Instant?
  /// The first error of a sum during the backward pass, which can throw nothing.
  private var failure: CommunicationError?
  private(set) var traffic = Traffic()
  private(set) var secondsInPass = 0.0

  var observer: (any BackwardObserver)? { sumsDuringPass ? self : nil }
  private var sumsDuringPass: Bool { overlaps || kept != nil }

  init(_ request: ReducerRequest, _ sharing: ParameterSharing) {
    let grid = sharing.grid
    self.grid = grid
    overlaps = request.options.overlaps(in: request.world) && grid.rows > 1
    let owners = sharing.owners
    let gradient = request.gradient
    terms = OrderedTerms(sharing.gradients, own: grid.rowRank)
    rows = TouchedRows(of: request.layout, over: request.world)
    let column = grid.rows > 1 ? grid.column : nil
    let half = grid.isSharded ? SumHalf.scatter : .both
    stages = owners.stages.map { parts in
      parts.map { buckets in
        buckets.map { bucket in
          Bucket(
            numbers: bucket.numbers,
            sum: column?.makeSum(
              of: gradient.buffer.elements(
                from: bucket.numbers.lowerBound, count: bucket.numbers.count),
              wire: request.options.wire, parts: grid.isSharded ? bucket.parts : nil, half))
        }
      }
    }
    let pages = ReleasedPages(
      of: gradient, owners, least: grid.rowSize > 1 ? request.leastReleased : .max)
    (releases, released, releasedTable) = (pages.isLarge, pages.stages, pages.table)
    kept = pages.kept
    self.gradient = gradient
    table = owners.table
    packed = Buffer(count: column == nil ? 0 : table.reduce(0) { $0 + $1.numbers.count })
    packedSum = column?.makeSum(of: packed.elements(), wire: request.options.wire)
  }

  func finishPart() {
    if part + 1 >= stages[stage].count { return }
    startDuringPass()
  }

  func finishStage() {
    precondition(
      stage < stages.count - 1, "more than \(stages.count - 1) stages of a backward pass")
    let current = stage
    while stage == current { startDuringPass() }
  }

  private func startDuringPass() {
    guard failure == nil else { return advance() }
    do throws(CommunicationError) {
      let begin = clock.now
      if start == nil { start = begin }
      try sumPart(sends: overlaps)
      secondsInPass += (clock.now - begin) / .seconds(1)
    } catch {
      failure = error
    }
    advance()
  }

  private func advance() {
    part += 1
    if part == stages[stage].count { (stage, part) = (stage + 1, 0) }
  }

  /// Sums the next part over this host once all ranks have it.
  /// - Parameter sends: Starts its sum over hosts, too.
  private func sumPart(sends: Bool) throws(CommunicationError) {
    if sumsDuringPass { try grid.barrier() }
    for bucket in stages[stage][part] {
      terms.add(bucket.numbers)
      if sends { try bucket.sum?.start(count: bucket.numbers.count) }
    }
    if kept == nil || !releases[stage][part] { return }
    try grid.barrier()
    for pages in released[stage][part] { gradient.buffer.release(pages) }
  }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    let begin = clock.now
    let first = start ?? begin
    if let failure { throw failure }
    // A rank without streams has reported no stage yet, and the others wait for it at each.
    if !sumsDuringPass { try grid.barrier() }
    if !overlaps { try sendSummed() }
    while stage < stages.count {
      try sumPart(sends: true)
      advance()
    }
    traffic = Traffic()
    try sumTable(of: gradient)
    for parts in stages {
      for buckets in parts {
        for bucket in buckets {
          guard let sum = bucket.sum else { continue }
          try sum.wait()
          traffic.bytes += sum.bytesSent
        }
      }
    }
    // Nobody may clear a gradient that another rank still reads.
    try grid.barrier()
    for pages in releasedTable { gradient.buffer.release(pages) }
    gradient.nonzero = kept
    traffic.seconds = (clock.now - first) / .seconds(1)
    traffic.hidden = grid.rows > 1 ? (begin - first) / .seconds(1) : 0
    (stage, part, start, secondsInPass) = (0, 0, nil, 0)
  }

  /// Starts the sums over hosts of all parts that were summed over this host during the backward pass.
  private func sendSummed() throws(CommunicationError) {
    for (number, parts) in stages.enumerated() {
      for (index, buckets) in parts.enumerated() where (number, index) < (stage, part) {
        for bucket in buckets { try bucket.sum?.start(count: bucket.numbers.count) }
      }
    }
  }

  /// Sums the rows of embeddings that were touched on any rank.
  private func sumTable(of gradient: ParameterVector) throws(CommunicationError) {
    guard !gradient.layout.rowSparse.isEmpty else { return }
    try rows.unite(gradient)
    traffic.bytes += rows.bytes
    try grid.barrier()
    var count = 0
    let numbers = packed.start
    forEachTouched(gradient) { range in
      terms.add(range)
      if packedSum != nil {
        (numbers + count).update(
          from: gradient.buffer.start + range.lowerBound, count: range.count)
        count += range.count
      }
    }
    guard let packedSum else { return }
    try packedSum.start(count: count)
    try packedSum.wait()
    traffic.bytes += packedSum.bytesSent
    count = 0
    forEachTouched(gradient) { range in
      (gradient.buffer.start + range.lowerBound).update(from: numbers + count, count: range.count)
      count += range.count
    }
  }

  private func forEachTouched(_ gradient: ParameterVector, _ body: (Range<Int>) -> Void) {
    for run in table {
      gradient.forEachTouched(gradient.layout.entries[run.entry], in: run, body)
    }
  }
}

extension ParameterLayout {
  /// Returns the most numbers of its gradient that a rank has in memory at once, where the ranks of a host
  /// share theirs.
  /// - Parameters:
  ///   - stages: Those of the model.
  ///   - ranks: The ranks of the host.
  ///   - rows: The most rows of a table that a window of a rank reads.
  package func gradientNumbers(_ stages: [GradientStage], ranks: Int, rows: Int) -> Int {
    let least = ReducerRequest.leastReleased
    var (kept, largest) = (0, 0)
    for range in rangesByStage(stages).joined().joined() {
      if range.count >= least {
        kept += range.count / ranks
        largest = max(largest, range.count)
      } else {
        kept += range.count
      }
    }
    for entry in rowSparse {
      kept += count - dense.upperBound >= least ? entry.count / ranks : entry.count
      largest = max(largest, min(rows, entry.rows) * entry.columns)
    }
    return min(kept + largest, count)
  }
}

/// The pages of a rank's gradient that it releases once they are summed: those without a number of its own
/// slice.
private struct ReleasedPages {
  /// True for each part of each stage that is large, the same on every rank.
  var isLarge: [[Bool]] = []
  /// For each part of each stage, the pages.
  var stages: [[[Range<Int>]]] = []
  /// The pages of row-sparse parameters.
  var table: [Range<Int>] = []
  /// All other numbers; nil if no part is large.
  var kept: [Range<Int>]?

  init(of gradient: ParameterVector, _ owners: BlockOwners, least: Int) {
    let layout = gradient.layout
    isLarge = owners.ranges.map { $0.map { $0.contains { $0.count >= least } } }
    let dense = layout.dense.upperBound
    let hasLargeTable = layout.count - dense >= least
    guard hasLargeTable || isLarge.joined().contains(true) else { return }
    stages = zip(owners.ranges, owners.stages).map { parts, owned in
      zip(parts, owned).map { ranges, buckets in
        ranges.filter { $0.count >= least }.flatMap {
          Self.pages(of: gradient, in: $0, without: buckets.map(\.numbers))
        }
      }
    }
    if hasLargeTable {
      table = Self.pages(
        of: gradient, in: dense..<layout.count, without: owners.table.map(\.numbers))
    }
    let all = (stages.joined().joined() + table).sorted { $0.lowerBound < $1.lowerBound }
    kept = Self.rest(of: 0..<layout.count, without: all)
  }

  /// Returns the whole pages of a range outside of others.
  private static func pages(
    of gradient: ParameterVector, in range: Range<Int>, without others: [Range<Int>]
  ) -> [Range<Int>] {
    rest(of: range, without: others).map { gradient.buffer.wholePages(in: $0) }.filter {
      !$0.isEmpty
    }
  }

  /// Returns what is left of a range without others, which rise.
  private static func rest(of range: Range<Int>, without others: [Range<Int>]) -> [Range<Int>] {
    var rest: [Range<Int>] = []
    var first = range.lowerBound
    for other in others where other.overlaps(range) {
      if other.lowerBound > first { rest.append(first..<other.lowerBound) }
      first = max(first, other.upperBound)
    }
    if first < range.upperBound { rest.append(first..<range.upperBound) }
    return rest
  }
}
