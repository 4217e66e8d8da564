internal import Glibc
public import LinearAlgebra

/// The ranks that train together, as one of them sees it.
///
/// Every call but `abort` is *collective*: all ranks make the same calls in the same order with the
/// same counts, or wait for each other for ever. A rank makes one call at a time. `sum` and `max`
/// leave the same bits on every rank and allocate nothing of their own; numbers with a point are added
/// in the order of ranks, so that a world of threads finds what one of processes does.
///
/// Every call throws when the library underneath fails; the ranks cannot go on from there.
public protocol Communicator: AnyObject, Sendable {
  /// The number of this rank, from 0; rank 0 is the *root*.
  var rank: Int { get }
  /// The number of ranks.
  var size: Int { get }
  /// The number of this rank among those of the same host, from 0.
  var nodeRank: Int { get }
  /// The number of ranks on this host.
  var nodeSize: Int { get }

  /// Replaces every element by its sum over all ranks.
  func sum(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError)
  /// Replaces every element by its sum over all ranks.
  func sum(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError)
  /// Replaces every element by its sum over all ranks, modulo 2³².
  func sum(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError)
  /// Replaces every element by its maximum over all ranks; none may be NaN.
  func max(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError)
  /// Replaces every element by its maximum over all ranks.
  func max(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError)

  /// The bytes that the rank `root` passes, on every rank; what the others pass is ignored.
  func broadcast(_ bytes: [UInt8], from root: Int) throws(CommunicationError) -> [UInt8]
  /// What each rank passes, by rank and of any lengths, on `root`; an empty array elsewhere.
  func gather(_ bytes: [UInt8], at root: Int) throws(CommunicationError) -> [[UInt8]]
  /// The part of this rank's number of those that the rank `root` passes, one for each rank and of any
  /// lengths; what the others pass is ignored.
  func scatter(_ parts: [[UInt8]], from root: Int) throws(CommunicationError) -> [UInt8]
  /// Returns when every rank has called it.
  func barrier() throws(CommunicationError)

  /// Ends all ranks with an exit code, whatever the others are doing.
  ///
  /// Under MPI and in a single process this ends the process. A world of threads cannot end a
  /// thread, so there it throws, as does every collective of the other ranks.
  func abort(code: Int32) throws(CommunicationError) -> Never
  /// Waits for all ranks and leaves the world; no other call may follow.
  func finish() throws(CommunicationError)
}

extension Communicator {
  /// Whether this is rank 0.
  public var isRoot: Bool { rank == 0 }

  /// The name of the machine this rank runs on.
  public var hostName: String { nameOfHost() }

  /// Replaces every element of a buffer by its sum over all ranks.
  public func sum(_ buffer: Buffer<Float>) throws(CommunicationError) {
    try sum(buffer.elements())
  }

  /// Replaces every element of a buffer by its sum over all ranks.
  public func sum(_ buffer: Buffer<Double>) throws(CommunicationError) {
    try sum(buffer.elements())
  }

  /// Replaces every element of a small vector, such as a step's tally, by its sum over all ranks.
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

  /// The root's bytes, on every rank.
  public func broadcast(_ bytes: [UInt8]) throws(CommunicationError) -> [UInt8] {
    try broadcast(bytes, from: 0)
  }

  /// What each rank passes, on the root; an empty array elsewhere.
  public func gather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    try gather(bytes, at: 0)
  }

  /// This rank's part of those that the root passes.
  public func scatter(_ parts: [[UInt8]]) throws(CommunicationError) -> [UInt8] {
    try scatter(parts, from: 0)
  }

  /// What each rank passes, by rank and of any lengths, on every rank.
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
