internal import Glibc

/// A block of memory of fixed size, zeroed and aligned to a cache line, that frees itself.
///
/// Weights, gradients, optimizer moments and the tape each live in one buffer. Views into it
/// (`Matrix`, `Row`) do not keep it alive: the code that makes views keeps the buffer.
public final class Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let start: UnsafeMutablePointer<Element>
  public let count: Int
  private let release: () -> Void

  /// Allocates `count` elements of zero bits; the first lies on a 64-byte boundary.
  public init(count: Int) {
    precondition(count >= 0, "a buffer of \(count) elements")
    let bytes = max(count, 1) * MemoryLayout<Element>.stride
    let raw: UnsafeMutableRawPointer
    if bytes >= 2 * Self.largePage {
      (raw, release) = Self.mapped(bytes)
    } else {
      let small = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      small.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
      (raw, release) = (small, { small.deallocate() })
    }
    start = raw.bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = count
  }

  private static var largePage: Int { 2 << 20 }

  /// Maps zeroed memory in huge pages if the system has them, which makes reading weights larger
  /// than the caches 1.5 times as fast. Pages that are never touched take no memory.
  private static func mapped(_ bytes: Int) -> (UnsafeMutableRawPointer, () -> Void) {
    let length = bytes + largePage
    guard
      let whole = mmap(
        nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      whole != MAP_FAILED
    else { endOutOfMemory(bytes) }
    let start = whole.alignedUp(toMultipleOf: largePage)
    // This is advice only; the memory works without it.
    madvise(start, bytes, MADV_HUGEPAGE)
    return (start, { munmap(whole, length) })
  }

  /// Maps zeroed memory of which only a part is ever written: small pages, so that the rest takes no room.
  public init(sparse count: Int) {
    let length = max(count, 1) * MemoryLayout<Element>.stride
    guard
      let whole = mmap(
        nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      whole != MAP_FAILED
    else { endOutOfMemory(length) }
    madvise(whole, length, MADV_NOHUGEPAGE)
    start = whole.bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = count
    release = { munmap(whole, length) }
  }

  /// Uses memory that the caller allocated, such as a window shared by the ranks of a node.
  /// - Parameters:
  ///   - start: The first element.
  ///   - count: The number of elements.
  ///   - release: Called once, when the last reference to the buffer is gone.
  public init(
    adopting start: UnsafeMutablePointer<Element>, count: Int, release: @escaping () -> Void
  ) {
    self.start = start
    self.count = count
    self.release = release
  }

  deinit { release() }

  /// Asks for large pages for those that lie wholly in a range, and makes them: for shared memory, which the
  /// system serves in small ones otherwise. Where it has none, nothing changes.
  public func useLargePages(_ range: Range<Int>? = nil) {
    let range = range ?? 0..<count
    let page = UInt(2 << 20)
    let first = (UInt(bitPattern: start + range.lowerBound) + page - 1) / page * page
    let end = UInt(bitPattern: start + range.upperBound) / page * page
    guard end > first, let place = UnsafeMutableRawPointer(bitPattern: first) else { return }
    // MADV_COLLAPSE, of Linux 6.1.
    madvise(place, Int(end - first), 25)
  }

  /// Returns the elements of a range that fill whole pages of memory.
  public func wholePages(in range: Range<Int>) -> Range<Int> {
    let (page, width) = (4096, MemoryLayout<Element>.stride)
    let offset = Int(bitPattern: start) % page
    let first = (range.lowerBound * width + offset + page - 1) / page * page - offset
    let end = (range.upperBound * width + offset) / page * page - offset
    return end > first ? first / width..<end / width : range.lowerBound..<range.lowerBound
  }

  /// Sets whole pages to zero bits. Pages of shared memory are returned to the system, for all processes.
  public func release(_ pages: Range<Int>) {
    guard !pages.isEmpty else { return }
    let length = pages.count * MemoryLayout<Element>.stride
    if madvise(start + pages.lowerBound, length, MADV_REMOVE) != 0 { clear(pages) }
  }

  /// Returns the whole buffer, or the part that starts at `offset`.
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

  /// Copies `count` elements of another buffer, from `offset` on, to the start of this buffer.
  public func copy(_ count: Int, from other: Buffer, at offset: Int) {
    guard count > 0 else { return }
    elements(count: count).baseAddress!.update(
      from: other.elements(from: offset, count: count).baseAddress!, count: count)
  }

  /// Overwrites this buffer with the contents of another of the same size.
  public func copy(from other: Buffer) {
    precondition(count == other.count, "copying \(other.count) elements into \(count)")
    start.update(from: other.start, count: count)
  }
}
