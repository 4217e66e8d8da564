internal import Glibc
public import LinearAlgebra

/// The world of ranks that train together, as seen by one of them.
///
/// Every call but `abort`, `send` and `receive` is *collective*: all ranks make the same calls in the same
/// order with the same counts; otherwise they wait for each other forever. A rank makes one call at a time. `sum`
/// and `max` leave the same bits on every rank and allocate no memory. Floating-point numbers are
/// added in the order of ranks, so a world of threads and a world of processes get the same result.
///
/// Every call throws if the underlying library fails; the ranks cannot continue after that.
public protocol Communicator: AnyObject, Sendable {
  /// The number of this rank, from 0; rank 0 is the *root*.
  var rank: Int { get }
  /// The world size: the number of ranks.
  var size: Int { get }
  /// The number of this rank among the ranks of the same host, from 0.
  var nodeRank: Int { get }
  /// The number of ranks on this host.
  var nodeSize: Int { get }

  /// Replaces every element by its sum over all ranks.
  func sum(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError)
  /// Replaces every element by its sum over all ranks.
  func sum(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError)
  /// Replaces every element by its sum over all ranks, modulo 2³².
  func sum(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError)
  /// Replaces every element by its sum over all ranks, added in a binary tree: (a + c) + (b + d) of four.
  ///
  /// Let term i of rank r be number i · size + r of all terms. If each of 2ᵏ ranks has added its 2ʲ terms
  /// in such a tree, the result has the bits of one rank that adds all terms in one.
  func sumInTree(_ values: UnsafeMutableBufferPointer<Real>) throws(CommunicationError)
  /// Makes a sum of some numbers that can proceed while this rank computes, or a half of one. Every rank
  /// makes the same sums in the same order.
  /// - Parameters:
  ///   - values: The numbers of this rank, which the sums replace.
  ///   - wire: The number format in which they travel.
  ///   - parts: The numbers that each rank sums; nil for equal parts.
  ///   - half: The reduce-scatter or the all-gather alone, or both halves of an all-reduce.
  func makeSum(
    of values: UnsafeMutableBufferPointer<Real>, wire: Precision, parts: [Range<Int>]?,
    _ half: SumHalf
  ) -> any PendingSum
  /// Replaces every element by its maximum over all ranks; none may be NaN.
  func max(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError)
  /// Replaces every element by its maximum over all ranks.
  func max(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError)

  /// Returns on every rank the bytes that the rank `root` passes; the bytes of other ranks are
  /// ignored.
  func broadcast(_ bytes: [UInt8], from root: Int) throws(CommunicationError) -> [UInt8]
  /// Returns on `root` the bytes of each rank, by rank and of any lengths; returns an empty array
  /// on other ranks.
  func gather(_ bytes: [UInt8], at root: Int) throws(CommunicationError) -> [[UInt8]]
  /// Returns the part with this rank's number, of the parts that the rank `root` passes: one per
  /// rank and of any lengths. The parts of other ranks are ignored.
  func scatter(_ parts: [[UInt8]], from root: Int) throws(CommunicationError) -> [UInt8]
  /// Sends bytes to one other rank, which receives as many. May return before or after they have arrived,
  /// so two ranks must not both send first. Messages from one rank to another arrive in order.
  func send(_ bytes: UnsafeRawBufferPointer, to other: Int) throws(CommunicationError)
  /// Receives as many bytes as the memory holds, which one other rank sends to this one.
  func receive(
    _ bytes: UnsafeMutableRawBufferPointer, from other: Int
  ) throws(CommunicationError)

  /// Returns the world of the ranks of this host, numbered in the order of this world. Collective.
  func splitByNode() throws(CommunicationError) -> any Communicator
  /// Makes memory that these ranks share, which must be those of one host. Collective over them.
  /// - Throws: `noSharedMemory` on all of them if they cannot.
  func shareMemory(bytes: Int) throws(CommunicationError) -> SharedMemory

  /// Returns when every rank has called it.
  func barrier() throws(CommunicationError)
  /// Returns when every rank has called it, and sleeps meanwhile: for ranks that wait long while others
  /// compute. May return some milliseconds late.
  func sleepingBarrier() throws(CommunicationError)

  /// Returns a world of the ranks that pass the same color, numbered in the order of this world; nil if this
  /// rank passes nil. Collective. Its `finish` leaves this world as it is, and its `abort` ends all ranks.
  /// - Parameter color: A number from 0.
  func split(by color: Int?) throws(CommunicationError) -> (any Communicator)?

  /// Ends all ranks with an exit code, whatever the others are doing.
  ///
  /// Under MPI and in a single process this ends the process. A world of threads cannot end a
  /// thread, so there this call throws, and so does every collective of the other ranks.
  func abort(code: Int32) throws(CommunicationError) -> Never
  /// Waits for all ranks and leaves the world; no other call may follow.
  func finish() throws(CommunicationError)
}

extension Communicator {
  /// True for rank 0.
  public var isRoot: Bool { rank == 0 }

  public func sleepingBarrier() throws(CommunicationError) { try barrier() }

  public func shareMemory(bytes: Int) throws(CommunicationError) -> SharedMemory {
    throw .noSharedMemory(host: hostName, reason: "this way of communication has none")
  }

  /// Makes a sum of some numbers that can proceed while this rank computes.
  public func makeSum(
    of values: UnsafeMutableBufferPointer<Real>, wire: Precision
  ) -> any PendingSum {
    makeSum(of: values, wire: wire, parts: nil, .both)
  }

  /// The name of the host this rank runs on.
  public var hostName: String { nameOfHost() }

  /// Replaces every element of a buffer by its sum over all ranks.
  public func sum(_ buffer: Buffer<Float>) throws(CommunicationError) {
    try sum(buffer.elements())
  }

  /// Replaces every element of a buffer by its sum over all ranks.
  public func sum(_ buffer: Buffer<Double>) throws(CommunicationError) {
    try sum(buffer.elements())
  }

  /// Replaces every element of a small vector, such as the sums of a step, by its sum over all
  /// ranks.
  public func sum(_ values: inout [Double]) throws(CommunicationError) {
    try values.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try sum(memory)
    }
  }

  /// Replaces every element by its sum over all ranks.
  public func sum(_ values: inout [Int32]) throws(CommunicationError) {
    try values.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try sum(memory)
    }
  }

  /// Replaces every element of a small vector by its sum over all ranks, added in the tree of `sumInTree`
  /// of a gradient.
  public func sumInTree(_ values: inout [Double]) throws(CommunicationError) {
    guard size > 1 else { return }
    // A number and zeros have the number as their sum, so every rank learns those of all.
    var all = [Double](repeating: 0, count: size * values.count)
    for (index, value) in values.enumerated() { all[index * size + rank] = value }
    try sum(&all)
    for index in values.indices {
      values[index] = all[index * size..<(index + 1) * size].sumInTree()
    }
  }

  /// Replaces every element by its maximum over all ranks; none may be NaN.
  public func max(_ values: inout [Double]) throws(CommunicationError) {
    try values.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try max(memory)
    }
  }

  /// Replaces every element by its maximum over all ranks.
  public func max(_ values: inout [Int32]) throws(CommunicationError) {
    try values.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try max(memory)
    }
  }

  /// Returns the root's bytes on every rank.
  public func broadcast(_ bytes: [UInt8]) throws(CommunicationError) -> [UInt8] {
    try broadcast(bytes, from: 0)
  }

  /// Returns each rank's bytes on the root; an empty array on other ranks.
  public func gather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    try gather(bytes, at: 0)
  }

  /// Returns this rank's part of the parts that the root passes.
  public func scatter(_ parts: [[UInt8]]) throws(CommunicationError) -> [UInt8] {
    try scatter(parts, from: 0)
  }

  /// Sends bytes to one other rank, which receives as many.
  public func send(_ bytes: [UInt8], to other: Int) throws(CommunicationError) {
    try bytes.withUnsafeBufferPointer { memory throws(CommunicationError) in
      try send(UnsafeRawBufferPointer(memory), to: other)
    }
  }

  /// Returns so many bytes that one other rank sends to this one.
  public func receive(_ count: Int, from other: Int) throws(CommunicationError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try receive(UnsafeMutableRawBufferPointer(memory), from: other)
    }
    return bytes
  }

  /// Returns the name of each rank's host on the root; an empty array on other ranks.
  public func gatherHostNames() throws(CommunicationError) -> [String] {
    try gather(Array(hostName.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Returns each rank's bytes, by rank and of any lengths, on every rank.
  public func allGather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    var gathered: [[UInt8]] = []
    for root in 0..<size { gathered.append(try broadcast(bytes, from: root)) }
    return gathered
  }
}

func nameOfHost() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return "unknown host" }
  return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
