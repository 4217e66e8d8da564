public import LinearAlgebra
internal import Synchronization

/// Memory that the ranks of a node share: all of them read and write the same numbers, which are zero at
/// first.
///
/// Pages that no rank has written take no memory. The memory belongs to no file that others can open, so
/// nothing remains of it when its ranks have ended, however they ended.
public final class SharedMemory: @unchecked Sendable {
  /// The first byte, on a page of its own.
  public let start: UnsafeMutableRawPointer
  public let bytes: Int
  private let meet: () throws(CommunicationError) -> Void
  private let release: () -> Void
  /// The bytes that were handed out.
  private var used = 0

  init(
    _ start: UnsafeMutableRawPointer, bytes: Int,
    meet: @escaping () throws(CommunicationError) -> Void, release: @escaping () -> Void
  ) {
    (self.start, self.bytes, self.meet, self.release) = (start, bytes, meet, release)
  }

  deinit { release() }

  /// The bytes of a page, or of a group of pages that the processor can address as one.
  public static let alignment = 2 << 20

  /// Returns the bytes that so many elements take, up to the next one that may be handed out.
  public static func bytes<Element>(of type: Element.Type, count: Int) -> Int {
    (max(count, 1) * MemoryLayout<Element>.stride + alignment - 1) / alignment * alignment
  }

  /// Hands out the next elements. Every rank of the node asks for the same in the same order.
  public func take<Element: BitwiseCopyable>(_ type: Element.Type, count: Int) -> Buffer<Element> {
    let size = Self.bytes(of: type, count: count)
    precondition(used + size <= bytes, "\(used) + \(size) of \(bytes) bytes of shared memory")
    let place = (start + used).bindMemory(to: Element.self, capacity: max(count, 1))
    used += size
    // The buffer keeps the memory.
    return Buffer(adopting: place, count: count) { withExtendedLifetime(self) {} }
  }

  /// Returns when every rank of the node has called it. Whatever they wrote before can then be read.
  public func barrier() throws(CommunicationError) {
    try meet()
    RankActivity.current.advance()
  }
}

/// A barrier of processes in memory that they share.
///
/// A rank that waits yields its core, so that ranks may be more than cores.
struct SharedBarrier: @unchecked Sendable {
  /// The bytes that the counters take: a line of cache for each.
  static let bytes = 128
  /// The looks at the counter before the core is yielded: a few microseconds.
  private static let looks = 2_000

  private let arrived, completed: UnsafeMutablePointer<Atomic<Int>>
  private let size: Int

  /// - Parameter memory: Zeros.
  init(in memory: UnsafeMutableRawPointer, size: Int) {
    arrived = memory.assumingMemoryBound(to: Atomic<Int>.self)
    completed = (memory + 64).assumingMemoryBound(to: Atomic<Int>.self)
    self.size = size
  }

  /// Waits until every rank has arrived.
  /// - Parameter pause: Called again and again while the rank waits.
  func wait(
    pause: () throws(CommunicationError) -> Void
  ) throws(CommunicationError) {
    let current = completed.pointee.load(ordering: .acquiring)
    let count = arrived.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
    if count == size {
      arrived.pointee.store(0, ordering: .relaxed)
      completed.pointee.store(current &+ 1, ordering: .releasing)
      return
    }
    var look = 0
    while completed.pointee.load(ordering: .acquiring) == current {
      look += 1
      if look > Self.looks { try pause() }
    }
  }
}
