internal import COpenMPI
internal import LinearAlgebra

/// A sum over MPI that proceeds while its rank computes.
///
/// Each rank receives its part of the vector from every other rank, adds the terms in the order of ranks,
/// and sends the sum to every other rank. It may be one of these halves alone. `SumProgress` calls it while
/// it holds the lock of MPI.
final class NonblockingSum: PendingSum {
  private enum Phase { case complete, collecting, distributing }

  private let progress: SumProgress
  private let values: UnsafeMutablePointer<Real>
  private let capacity: Int
  private let isNarrow: Bool
  private let rank, size: Int
  /// The numbers that each rank sums; nil for equal parts.
  private let givenParts: [Range<Int>]?
  private let half: SumHalf
  /// The tag of its messages, which no other sum has.
  private let tag: Int32
  private let communicator: MPI_Comm?
  /// The terms of this rank's part from each other rank, one after another.
  private let terms: Buffer<Real>
  /// The same with bfloat16 on the wire; and the vector in that format.
  private let narrowTerms, narrow: Buffer<UInt16>
  private let requests: UnsafeMutablePointer<MPI_Request?>
  private var open: Int32 = 0
  private var phase = Phase.complete
  private var count = 0
  private(set) var bytesSent = 0

  init(
    of values: UnsafeMutableBufferPointer<Real>, wire: Precision, parts: [Range<Int>]?,
    _ half: SumHalf,
    rank: Int, size: Int, tag: Int32, progress: SumProgress, communicator: MPI_Comm?
  ) {
    precondition(
      half != .gather || wire == .float32, "numbers that are only gathered travel as they are")
    (givenParts, self.half) = (parts, half)
    self.communicator = communicator
    self.progress = progress
    self.values = values.baseAddress!
    capacity = values.count
    isNarrow = wire == .bfloat16
    (self.rank, self.size, self.tag) = (rank, size, tag)
    let room = half == .gather ? 0 : (parts?[rank].count ?? (capacity - 1) / size + 1) * size
    terms = Buffer(count: isNarrow ? 0 : room)
    narrowTerms = Buffer(count: isNarrow ? room : 0)
    narrow = Buffer(count: isNarrow ? capacity : 0)
    requests = .allocate(capacity: 2 * size)
  }

  deinit { requests.deallocate() }

  /// The numbers of each equal part; the last ones may be shorter.
  private var equalWidth: Int { (count - 1) / size + 1 }

  /// The distance between the terms of this rank's part.
  private var width: Int { givenParts?[rank].count ?? equalWidth }

  private func part(of rank: Int) -> Range<Int> {
    givenParts?[rank] ?? min(rank * equalWidth, count)..<min((rank + 1) * equalWidth, count)
  }

  func start(count: Int) throws(CommunicationError) { try progress.start(self, count: count) }

  func wait() throws(CommunicationError) {
    try progress.wait { self.isComplete }
  }

  var isComplete: Bool { phase == .complete }

  /// Sends the first messages.
  func begin(count: Int) throws(CommunicationError) {
    precondition(
      phase == .complete && count <= capacity && (givenParts == nil || count == capacity),
      "\(count) of \(capacity) numbers")
    bytesSent = 0
    guard count > 0 else { return }
    self.count = count
    if half == .gather { return try distribute() }
    let own = part(of: rank)
    if isNarrow {
      narrowAll(values, into: narrow.start, count)
      try exchange(
        unroll_short(), from: narrow.start, own: { self.part(of: $0) },
        into: narrowTerms.start, theirs: { $0 * self.width..<$0 * self.width + own.count })
    } else {
      try exchange(
        realType, from: values, own: { self.part(of: $0) },
        into: terms.start, theirs: { $0 * self.width..<$0 * self.width + own.count })
    }
    phase = .collecting
  }

  /// Goes on as far as it can without waiting.
  /// - Returns: True if the sum is complete.
  func proceed() throws(CommunicationError) -> Bool {
    while phase != .complete {
      var isDone: Int32 = 0
      let code = MPI_Testall(open, requests, &isDone, unroll_statuses_ignore())
      try check("MPI_Testall", code)
      if isDone == 0 { return false }
      try enterNextPhase()
    }
    return true
  }

  private func enterNextPhase() throws(CommunicationError) {
    guard phase == .collecting else {
      if isNarrow { widenAll(narrow.start, into: values, count) }
      phase = .complete
      return
    }
    addTerms()
    if half == .both { return try distribute() }
    let own = part(of: rank)
    if isNarrow {
      widenAll(narrow.start + own.lowerBound, into: values + own.lowerBound, own.count)
    }
    phase = .complete
  }

  /// Sends this rank's part to every other rank.
  private func distribute() throws(CommunicationError) {
    let own = part(of: rank)
    if isNarrow {
      try exchange(
        unroll_short(), from: narrow.start, own: { _ in own },
        into: narrow.start, theirs: { self.part(of: $0) })
    } else {
      try exchange(
        realType, from: values, own: { _ in own }, into: values, theirs: { self.part(of: $0) })
    }
    phase = .distributing
  }

  /// Replaces this rank's part by the sum of all terms, in the order of ranks.
  private func addTerms() {
    let own = part(of: rank)
    if own.isEmpty { return }
    if isNarrow {
      let first = narrow.start + own.lowerBound
      (narrowTerms.start + rank * width).update(from: first, count: own.count)
      let sum = values + own.lowerBound
      widenAll(narrowTerms.start, into: sum, own.count)
      for other in 1..<size { addNarrow(narrowTerms.start + other * width, to: sum, own.count) }
      narrowAll(sum, into: first, own.count)
    } else {
      let sum = values + own.lowerBound
      (terms.start + rank * width).update(from: sum, count: own.count)
      sum.update(from: terms.start, count: own.count)
      for other in 1..<size { addUp(terms.start + other * width, to: sum, own.count) }
    }
  }

  /// Sends a range to every other rank and receives one from each.
  private func exchange<Element>(
    _ type: MPI_Datatype?, from: UnsafeMutablePointer<Element>, own: (Int) -> Range<Int>,
    into: UnsafeMutablePointer<Element>, theirs: (Int) -> Range<Int>
  ) throws(CommunicationError) {
    open = 0
    for distance in 1..<size {
      let (source, target) = ((rank + size - distance) % size, (rank + distance) % size)
      let (incoming, outgoing) = (theirs(source), own(target))
      if !incoming.isEmpty {
        let code = MPI_Irecv(
          into + incoming.lowerBound, Int32(incoming.count), type, Int32(source), tag,
          communicator, requests + Int(open))
        try check("MPI_Irecv", code)
        open += 1
      }
      if !outgoing.isEmpty {
        let code = MPI_Isend(
          from + outgoing.lowerBound, Int32(outgoing.count), type, Int32(target), tag,
          communicator, requests + Int(open))
        try check("MPI_Isend", code)
        open += 1
        bytesSent += outgoing.count * MemoryLayout<Element>.stride
      }
    }
  }

  private var realType: MPI_Datatype? { Real.self == Float.self ? unroll_float() : unroll_double() }
}

/// y = bfloat16(x)
@inline(never)
private func narrowAll(
  _ x: UnsafeMutablePointer<Real>, into y: UnsafeMutablePointer<UInt16>, _ count: Int
) {
  for i in 0..<count { y[i] = narrowed(Float(x[i])) }
}

/// y = x
@inline(never)
private func widenAll(
  _ x: UnsafeMutablePointer<UInt16>, into y: UnsafeMutablePointer<Real>, _ count: Int
) {
  for i in 0..<count { y[i] = Real(widened(x[i])) }
}

/// y += x
@inline(never)
private func addNarrow(
  _ x: UnsafeMutablePointer<UInt16>, to y: UnsafeMutablePointer<Real>, _ count: Int
) {
  for i in 0..<count { y[i] += Real(widened(x[i])) }
}
