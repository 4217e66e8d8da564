/// A block of memory of fixed size, zeroed and aligned to a cache line, that frees itself.
///
/// Weights, gradients, optimizer moments and the tape each live in one buffer. Views into it
/// (`Matrix`, `Row`) do not keep it alive: whoever hands out views keeps the buffer.
public final class Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let start: UnsafeMutablePointer<Element>
  public let count: Int
  private let release: () -> Void

  /// Allocates `count` elements of zero bits, the first on a 64-byte boundary.
  public init(count: Int) {
    precondition(count >= 0, "a buffer of \(count) elements")
    let bytes = max(count, 1) * MemoryLayout<Element>.stride
    let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    start = raw.bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = count
    release = { raw.deallocate() }
  }

  /// Takes over memory that somebody else allocated, such as a window shared by the ranks of a node.
  /// - Parameter release: called once, when the last reference to the buffer is gone.
  public init(
    adopting start: UnsafeMutablePointer<Element>, count: Int, release: @escaping () -> Void
  ) {
    self.start = start
    self.count = count
    self.release = release
  }

  deinit { release() }

  /// The whole block, or the part of it that starts at `offset`.
  public func elements(from offset: Int = 0, count: Int? = nil) -> UnsafeMutableBufferPointer<
    Element
  > {
    let count = count ?? self.count - offset
    precondition(
      offset >= 0 && count >= 0 && offset + count <= self.count,
      "elements \(offset)..<\(offset + count) of a buffer of \(self.count)")
    return UnsafeMutableBufferPointer(start: start + offset, count: count)
  }

  /// Sets every element to zero bits.
  public func clear() { clear(0..<count) }

  /// Sets the elements of `range` to zero bits.
  public func clear(_ range: Range<Int>) {
    let part = elements(from: range.lowerBound, count: range.count)
    UnsafeMutableRawBufferPointer(part).initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// Overwrites this buffer with the contents of another of the same size.
  public func copy(from other: Buffer) {
    precondition(count == other.count, "copying \(other.count) elements into \(count)")
    start.update(from: other.start, count: count)
  }
}
