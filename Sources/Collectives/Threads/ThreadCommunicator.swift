internal import Glibc
public import LinearAlgebra
internal import Synchronization

/// One rank of a world of threads inside one process, for tests.
///
/// Sums are added in the order of ranks, so they do not depend on which thread comes first. If a
/// rank returns, throws or aborts while others wait for it, the others throw. Collectives that do
/// not match throw too.
public final class ThreadCommunicator: Communicator {
  public let rank: Int
  public let size: Int
  private let meeting: Rendezvous

  /// The number of the host that each rank plays to be on.
  private let hosts: [Int]

  public var nodeRank: Int { hosts[..<rank].count { $0 == hosts[rank] } }
  public var nodeSize: Int { hosts.count { $0 == hosts[rank] } }

  private init(rank: Int, hosts: [Int], meeting: Rendezvous) {
    (self.rank, self.hosts, self.meeting) = (rank, hosts, meeting)
    size = hosts.count
  }

  /// Runs `body` on `size` threads, one rank per thread, and returns the results by rank.
  /// - Parameters:
  ///   - size: The number of threads, which is the world size; at least 1.
  ///   - ranksPerHost: The ranks of each host that the threads play to be on; nil for one host.
  ///   - body: The code of each rank, given the communicator of its thread.
  /// - Throws: The error of the first rank to throw, which is the cause of the others' errors.
  public static func run<Value: Sendable>(
    _ size: Int, ranksPerHost: Int? = nil,
    _ body: @escaping @Sendable (ThreadCommunicator) throws -> Value
  ) throws -> [Value] {
    precondition(size > 0, "a world of \(size) threads")
    let hosts = (0..<size).map { $0 / (ranksPerHost ?? size) }
    let meeting = Rendezvous(size: size)
    let outcomes = Outcomes<Value>(size: size)
    let threads = (0..<size).map { rank in
      start {
        do {
          let world = ThreadCommunicator(rank: rank, hosts: hosts, meeting: meeting)
          outcomes.succeed(try body(world), rank: rank)
        } catch {
          outcomes.fail(error)
        }
        meeting.leave(rank: rank)
      }
    }
    for thread in threads { pthread_join(thread, nil) }
    return try outcomes.get()
  }

  public func sum(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError) {
    try reduce(values, "sum of Float") { $0 += $1 }
  }

  public func sum(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError) {
    try reduce(values, "sum of Double") { $0 += $1 }
  }

  public func sum(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError) {
    try reduce(values, "sum of Int32") { $0 &+= $1 }
  }

  public func max(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError) {
    try reduce(values, "maximum of Double") { $0 = Swift.max($0, $1) }
  }

  public func max(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError) {
    try reduce(values, "maximum of Int32") { $0 = Swift.max($0, $1) }
  }

  public func sumInTree(
    _ values: UnsafeMutableBufferPointer<Real>
  ) throws(CommunicationError) {
    try reduce(values, "sum of numbers in a tree") { terms in
      forEachNode(ofTree: size) { addUp(terms[$1], to: terms[$0], values.count) }
    }
  }

  private func reduce<Element: BitwiseCopyable>(
    _ values: UnsafeMutableBufferPointer<Element>, _ operation: StaticString,
    _ combine: (inout Element, Element) -> Void
  ) throws(CommunicationError) {
    try reduce(values, operation) { terms in
      for term in terms.dropFirst() {
        for i in 0..<values.count { combine(&terms[0][i], term[i]) }
      }
    }
  }

  /// Lets one thread put the result of all ranks' numbers in the place of the first rank's, and copies it
  /// to the others.
  private func reduce<Element: BitwiseCopyable>(
    _ values: UnsafeMutableBufferPointer<Element>, _ operation: StaticString,
    _ combine: ([UnsafeMutablePointer<Element>]) -> Void
  ) throws(CommunicationError) {
    let share = Share(
      operation: operation, number: values.count,
      memory: UnsafeMutableRawPointer(values.baseAddress))
    try meeting.meet(rank: rank, bringing: share) { shares in
      guard values.count > 0 else { return }
      let terms = shares.map { $0.memory!.assumingMemoryBound(to: Element.self) }
      combine(terms)
      for term in terms.dropFirst() { term.update(from: terms[0], count: values.count) }
    }
  }

  public func broadcast(_ bytes: [UInt8], from root: Int) throws(CommunicationError) -> [UInt8] {
    try exchange([bytes], "broadcast", root: root) { parcels in
      for rank in 0..<parcels.count { parcels[rank].received = parcels[root].sent }
    }[0]
  }

  public func gather(_ bytes: [UInt8], at root: Int) throws(CommunicationError) -> [[UInt8]] {
    try exchange([bytes], "gather", root: root) { parcels in
      parcels[root].received = (0..<parcels.count).map { parcels[$0].sent[0] }
    }
  }

  public func scatter(
    _ parts: [[UInt8]], from root: Int
  ) throws(CommunicationError) -> [UInt8] {
    precondition(rank != root || parts.count == size, "\(parts.count) parts for \(size) ranks")
    return try exchange(parts, "scatter", root: root) { parcels in
      for rank in 0..<parcels.count { parcels[rank].received = [parcels[root].sent[rank]] }
    }[0]
  }

  private func exchange(
    _ parts: [[UInt8]], _ operation: StaticString, root: Int, _ deliver: (Parcels) -> Void
  ) throws(CommunicationError) -> [[UInt8]] {
    precondition(root >= 0 && root < size, "root \(root) of a world of \(size) ranks")
    var parcel = Parcel(sent: parts)
    try withUnsafeMutablePointer(to: &parcel) { parcel throws(CommunicationError) in
      let share = Share(
        operation: operation, number: root, memory: UnsafeMutableRawPointer(parcel))
      try meeting.meet(rank: rank, bringing: share) { deliver(Parcels(shares: $0)) }
    }
    return parcel.received
  }

  public func send(_ bytes: UnsafeRawBufferPointer, to other: Int) throws(CommunicationError) {
    precondition(isOther(other), "rank \(rank) of \(size) sends to \(other)")
    try meeting.send(bytes, from: rank, to: other)
  }

  public func receive(
    _ bytes: UnsafeMutableRawBufferPointer, from other: Int
  ) throws(CommunicationError) {
    precondition(isOther(other), "rank \(rank) of \(size) receives from \(other)")
    try meeting.receive(bytes, at: rank, from: other)
  }

  private func isOther(_ other: Int) -> Bool { other != rank && (0..<size).contains(other) }

  public func split(by color: Int?) throws(CommunicationError) -> (any Communicator)? {
    var choice = Choice(color: color)
    try withUnsafeMutablePointer(to: &choice) { choice throws(CommunicationError) in
      let share = Share(operation: "split", memory: UnsafeMutableRawPointer(choice))
      try meeting.meet(rank: rank, bringing: share) { shares in
        let choices = shares.map { $0.memory!.assumingMemoryBound(to: Choice.self) }
        for color in Set(choices.compactMap(\.pointee.color)) {
          let ranks = choices.indices.filter { choices[$0].pointee.color == color }
          let part = meeting.makePart(of: ranks)
          for (place, rank) in ranks.enumerated() {
            choices[rank].pointee.part = ThreadCommunicator(
              rank: place, hosts: ranks.map { hosts[$0] }, meeting: part)
          }
        }
      }
    }
    return choice.part
  }

  public func splitByNode() throws(CommunicationError) -> any Communicator {
    try split(by: hosts[rank])!
  }

  public func shareMemory(bytes: Int) throws(CommunicationError) -> SharedMemory {
    var memory: Buffer<UInt8>?
    try withUnsafeMutablePointer(to: &memory) { memory throws(CommunicationError) in
      let share = Share(
        operation: "shared memory", number: bytes, memory: UnsafeMutableRawPointer(memory))
      try meeting.meet(rank: rank, bringing: share) { shares in
        let shared = Buffer<UInt8>(count: bytes)
        for share in shares {
          share.memory!.assumingMemoryBound(to: Buffer<UInt8>?.self).pointee = shared
        }
      }
    }
    let shared = memory!
    return SharedMemory(
      UnsafeMutableRawPointer(shared.start), bytes: bytes,
      meet: { [meeting, rank] () throws(CommunicationError) in
        try meeting.meet(rank: rank, bringing: Share(operation: "barrier of memory")) { _ in }
      },
      release: { withExtendedLifetime(shared) {} })
  }

  public func barrier() throws(CommunicationError) {
    try meeting.meet(rank: rank, bringing: Share(operation: "barrier")) { _ in }
  }

  public func abort(code: Int32) throws(CommunicationError) -> Never {
    throw meeting.end(because: .aborted(rank: rank, code: code))
  }

  public func finish() throws(CommunicationError) {
    try meeting.meet(rank: rank, bringing: Share(operation: "finish")) { _ in }
  }
}

/// The color of a rank in a split, and its place in the part with this color.
private struct Choice {
  let color: Int?
  var part: ThreadCommunicator?
}

/// The bytes that a rank sends and receives in an exchange.
private struct Parcel {
  let sent: [[UInt8]]
  var received: [[UInt8]] = []
}

/// The parcels of all ranks during one collective.
private struct Parcels {
  let shares: UnsafeBufferPointer<Share>

  var count: Int { shares.count }

  subscript(rank: Int) -> Parcel {
    get { shares[rank].memory!.assumingMemoryBound(to: Parcel.self).pointee }
    nonmutating set { shares[rank].memory!.assumingMemoryBound(to: Parcel.self).pointee = newValue }
  }
}

/// The results of the ranks, and the first error.
private final class Outcomes<Value: Sendable>: Sendable {
  private let values: Mutex<[Value?]>
  private let firstError = Mutex<(any Error)?>(nil)

  init(size: Int) { values = Mutex(Array(repeating: nil, count: size)) }

  func succeed(_ value: Value, rank: Int) { values.withLock { $0[rank] = value } }

  func fail(_ error: any Error) { firstError.withLock { $0 = $0 ?? error } }

  func get() throws -> [Value] {
    if let error = firstError.withLock({ $0 }) { throw error }
    return values.withLock { $0.map { $0! } }
  }
}

private final class Work {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  var thread = pthread_t()
  let work = Unmanaged.passRetained(Work(body)).toOpaque()
  let code = pthread_create(
    &thread, nil,
    { work in
      Unmanaged<Work>.fromOpaque(work!).takeRetainedValue().body()
      return nil
    }, work)
  precondition(code == 0, "the system refused to start a thread (error \(code))")
  return thread
}
