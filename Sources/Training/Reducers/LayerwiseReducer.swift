internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence

/// An all-reduce that sends the gradient of each layer as soon as the backward pass has completed it: that
/// of the output layer first, which is often the largest.
///
/// The gradient is cut into buckets of up to 4 MiB, each a sum of its own. The rows of embeddings that are
/// not tied come last, the touched ones alone where they are few. Without overlap all sums start after the
/// backward pass; sums have the same bits either way.
final class LayerwiseReducer: GradientReducer, BackwardObserver {
  /// Numbers that are summed together.
  private struct Bucket {
    let count: Int
    let sum: any PendingSum
  }

  static let bucketBytes = 4 << 20

  private let wire: Precision
  private let overlaps: Bool
  private let buckets: [Bucket]
  /// For each stage, the number of buckets that are final after each of its parts.
  private let ends: [[Int]]
  private let rows: TouchedRows
  private let table: (first: Int, sum: any PendingSum)

  /// The stages of this step that are complete, the parts of the next one, and the buckets that were started.
  private var (stage, part, started) = (0, 0, 0)
  private let clock = ContinuousClock()
  private var start: ContinuousClock.Instant?
  /// The first error of a sum during the backward pass, which can throw nothing.
  private var failure: CommunicationError?
  private(set) var traffic = Traffic()

  var observer: (any BackwardObserver)? { overlaps ? self : nil }

  init(_ request: ReducerRequest) {
    let gradient = request.gradient
    wire = request.options.wire
    overlaps = request.options.overlaps(in: request.world)
    let layout = request.layout
    rows = TouchedRows(of: layout, over: request.world)
    let stages = layout.rangesByStage(request.stages)
    let most = Self.bucketBytes / MemoryLayout<Real>.stride
    var buckets: [Bucket] = []
    var ends: [[Int]] = []
    func add(_ ranges: [Range<Int>]) -> Int {
      for range in ranges {
        for first in stride(from: range.lowerBound, to: range.upperBound, by: most) {
          let count = min(most, range.upperBound - first)
          buckets.append(
            Bucket(
              count: count,
              sum: request.world.makeSum(
                of: gradient.buffer.elements(from: first, count: count), wire: request.options.wire)
            ))
        }
      }
      return buckets.count
    }
    for parts in stages { ends.append(parts.map(add)) }
    self.buckets = buckets
    self.ends = ends
    let first = layout.dense.upperBound
    table = (
      first,
      request.world.makeSum(
        of: gradient.buffer.elements(from: first, count: layout.count - first), wire: wire)
    )
  }

  func finishPart() {
    if part + 1 >= ends[stage].count { return }
    start(through: ends[stage][part])
    part += 1
  }

  func finishStage() {
    precondition(stage < ends.count - 1, "more than \(ends.count - 1) stages of a backward pass")
    start(through: ends[stage].last!)
    (stage, part) = (stage + 1, 0)
  }

  /// Starts the sums of the first `count` buckets that were not started yet.
  private func start(through count: Int) {
    guard failure == nil else { return }
    do throws(CommunicationError) {
      while started < count {
        if start == nil { start = clock.now }
        try buckets[started].sum.start(count: buckets[started].count)
        started += 1
      }
    } catch {
      failure = error
    }
  }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    let begin = clock.now
    let first = start ?? begin
    start(through: buckets.count)
    if let failure { throw failure }
    let tableCount = try sumTable(of: gradient)
    for bucket in buckets { try bucket.sum.wait() }
    let end = clock.now
    traffic.bytes = buckets.reduce(rows.bytes) { $0 + $1.sum.bytesSent }
    if tableCount > 0 { traffic.bytes += table.sum.bytesSent }
    traffic.seconds = (end - first) / .seconds(1)
    traffic.hidden = (begin - first) / .seconds(1)
    (stage, part, started, start) = (0, 0, 0, nil)
  }

  /// Sums the rows of embeddings that were touched on any rank.
  /// - Returns: The count of numbers that were summed.
  private func sumTable(of gradient: ParameterVector) throws(CommunicationError) -> Int {
    guard gradient.layout.count > table.first else { return 0 }
    return try rows.sum(gradient, from: table.first) { count throws(CommunicationError) in
      try table.sum.start(count: count)
      try table.sum.wait()
    }
  }
}

extension CommunicationOptions {
  /// True if gradients are sent during the backward pass.
  func overlaps(in world: any Communicator) -> Bool {
    switch overlap {
    case .on: world.size > 1
    case .off: false
    case .auto: world.nodeSize < world.size
    }
  }
}

extension ParameterLayout {
  /// Returns the ranges of the dense part that are final after each part of each stage of a backward pass;
  /// a last stage has whatever the others do not name.
  func rangesByStage(_ stages: [GradientStage]) -> [[[Range<Int>]]] {
    let dense = entries.filter { !$0.isRowSparse }
    var places: [Parameter: (stage: Int, part: Int)] = [:]
    for (stage, parts) in stages.map(\.parts).enumerated() {
      for (part, parameters) in parts.enumerated() {
        for parameter in parameters { places[parameter] = (stage, part) }
      }
    }
    var ranges = stages.map { $0.parts.map { _ in [Range<Int>]() } } + [[[]]]
    for (index, entry) in dense.enumerated() {
      // The zeros up to the next parameter belong to this one.
      let end = index + 1 < dense.count ? dense[index + 1].offset : self.dense.upperBound
      let (stage, part) = places[entry.parameter] ?? (stages.count, 0)
      if let last = ranges[stage][part].last, last.upperBound == entry.offset {
        ranges[stage][part].removeLast()
        ranges[stage][part].append(last.lowerBound..<end)
      } else {
        ranges[stage][part].append(entry.offset..<end)
      }
    }
    return ranges
  }
}
