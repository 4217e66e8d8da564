/// A position in the bytes of a binary file of little-endian numbers. Nothing is read beyond the end.
package struct ByteCursor {
  /// A fault of a file, in words for the middle of a sentence.
  package struct Flaw: Error {
    package let words: String
    package init(_ words: String) { self.words = words }
  }

  package let bytes: UnsafeRawBufferPointer
  package private(set) var position = 0

  package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  package var remaining: Int { bytes.count - position }

  /// Returns the next bytes.
  package mutating func take(_ count: Int) throws(Flaw) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else {
      throw Flaw("it ends at byte \(bytes.count), inside of a value at byte \(position)")
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  /// Returns the next number.
  package mutating func number<Number: BitwiseCopyable>(
    _ type: Number.Type = Number.self
  ) throws(Flaw) -> Number {
    try take(MemoryLayout<Number>.size).loadUnaligned(as: type)
  }

  /// Returns the next integer as an `Int`.
  package mutating func count<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type
  ) throws(Flaw) -> Int {
    let value = Number(littleEndian: try number(type))
    guard let count = Int(exactly: value), count >= 0 else {
      throw Flaw("a count of \(value) before byte \(position)")
    }
    return count
  }

  /// Returns a text of some number of bytes.
  package mutating func text(_ count: Int) throws(Flaw) -> String {
    let start = position
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw Flaw("text at byte \(start) that is not UTF-8")
    }
    return text
  }

  /// Skips bytes up to a multiple of some number.
  package mutating func align(to alignment: Int) throws(Flaw) {
    _ = try take((alignment - position % alignment) % alignment)
  }
}
