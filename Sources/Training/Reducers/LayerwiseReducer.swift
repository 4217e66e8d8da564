internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence

/// An all-reduce that sends the gradient of each layer as soon as the backward pass has completed it: that
/// of the output layer first, which is often the largest. The sums proceed between time steps.
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
  /// The shortest time between two looks at messages, which cost some microseconds each.
  private static let pollInterval = Duration.microseconds(200)

  private let wire: Precision
  private let overlaps: Bool
  private let buckets: [Bucket]
  /// The number of buckets that are final before the end of each stage, and before its early part ends.
  private let ends: [(early: Int, all: Int)]
  private let rows: TouchedRows
  private let table: (first: Int, sum: any PendingSum)

  /// The stages of this step that are complete, and the buckets that were started and are complete.
  private var (stage, started, finished) = (0, 0, 0)
  private let clock = ContinuousClock()
  private var start: ContinuousClock.Instant?
  private var lastPoll: ContinuousClock.Instant
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
    var ends: [(early: Int, all: Int)] = []
    func add(_ ranges: [Range<Int>]) -> Int {
      for range in ranges {
        for first in stride(from: range.lowerBound, to: range.upperBound, by: most) {
          let count = min(most, range.upperBound - first)
          buckets.append(
            Bucket(
              count: count,
              sum: request.world.makeSum(
                of: gradient.buffer.elements(from: first, count: count), wire: request.options.wire)))
        }
      }
      return buckets.count
    }
    for stage in stages { ends.append((add(stage.early), add(stage.late))) }
    self.buckets = buckets
    self.ends = ends
    let first = layout.dense.upperBound
    table = (
      first,
      request.world.makeSum(
        of: gradient.buffer.elements(from: first, count: layout.count - first), wire: wire)
    )
    lastPoll = clock.now
  }

  func finishCell() { start(through: ends[stage].early) }

  func finishStage() {
    precondition(stage < ends.count - 1, "more than \(ends.count - 1) stages of a backward pass")
    start(through: ends[stage].all)
    stage += 1
    poll()
  }

  func poll() {
    guard started > finished, failure == nil else { return }
    let now = clock.now
    guard now - lastPoll >= Self.pollInterval else { return }
    lastPoll = now
    do throws(CommunicationError) {
      try advance()
    } catch {
      failure = error
    }
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

  /// Moves on the sums that are under way.
  private func advance() throws(CommunicationError) {
    var isFirst = true
    for index in finished..<started {
      let isComplete = try buckets[index].sum.advance()
      if isComplete && isFirst { finished = index + 1 } else { isFirst = false }
    }
  }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    let begin = clock.now
    start(through: buckets.count)
    if let failure { throw failure }
    let tableCount = try sumTable(of: gradient)
    for index in finished..<started { try buckets[index].sum.wait() }
    let end = clock.now
    traffic.bytes = buckets.reduce(rows.bytes) { $0 + $1.sum.bytesSent }
    if tableCount > 0 { traffic.bytes += table.sum.bytesSent }
    traffic.seconds = (end - (start ?? begin)) / .seconds(1)
    traffic.hidden = (begin - (start ?? begin)) / .seconds(1)
    (stage, started, finished, start) = (0, 0, 0, nil)
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
  /// Returns the ranges of the dense part that are final at each stage of a backward pass; the last stage
  /// has whatever the others do not name.
  func rangesByStage(
    _ stages: [GradientStage]
  ) -> [(early: [Range<Int>], late: [Range<Int>])] {
    let dense = entries.filter { !$0.isRowSparse }
    var place: [Parameter: (stage: Int, isEarly: Bool)] = [:]
    for (index, stage) in stages.enumerated() {
      for parameter in stage.early { place[parameter] = (index, true) }
      for parameter in stage.parameters { place[parameter] = (index, false) }
    }
    var ranges = [(early: [Range<Int>], late: [Range<Int>])](
      repeating: ([], []), count: stages.count + 1)
    for (index, entry) in dense.enumerated() {
      // The zeros up to the next parameter belong to this one.
      let end = index + 1 < dense.count ? dense[index + 1].offset : self.dense.upperBound
      let (stage, isEarly) = place[entry.parameter] ?? (stages.count, false)
      func append(_ ranges: inout [Range<Int>]) {
        if let last = ranges.last, last.upperBound == entry.offset {
          ranges[ranges.count - 1] = last.lowerBound..<end
        } else {
          ranges.append(entry.offset..<end)
        }
      }
      if isEarly { append(&ranges[stage].early) } else { append(&ranges[stage].late) }
    }
    return ranges
  }
}
