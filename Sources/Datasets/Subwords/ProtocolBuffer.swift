/// A reader of the fields of a message of Protocol Buffers.
struct ProtocolBuffer {
  enum Value {
    case number(UInt64)
    case bytes(Range<Int>)
    case float(UInt32)
    case double
  }

  private(set) var position: Int
  let end: Int
  /// True if the message is damaged.
  private(set) var isBroken = false

  init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// Returns the next field; nil at the end or where the message is damaged.
  mutating func next(_ text: Span<UInt8>) -> (field: UInt64, value: Value)? {
    guard position < end else { return nil }
    guard let tag = number(text), tag >> 3 > 0, tag >> 3 < 1 << 29 else { return broken() }
    switch tag & 7 {
    case 0:
      guard let value = number(text) else { return broken() }
      return (tag >> 3, .number(value))
    case 1:
      guard end - position >= 8 else { return broken() }
      position += 8
      return (tag >> 3, .double)
    case 2:
      guard let count = number(text), count <= UInt64(end - position) else { return broken() }
      let range = position..<position + Int(count)
      position = range.upperBound
      return (tag >> 3, .bytes(range))
    case 5:
      guard end - position >= 4 else { return broken() }
      var bits: UInt32 = 0
      for k in 0..<4 { bits |= UInt32(text[position + k]) << UInt32(8 * k) }
      position += 4
      return (tag >> 3, .float(bits))
    default: return broken()
    }
  }

  private mutating func broken() -> (field: UInt64, value: Value)? {
    isBroken = true
    return nil
  }

  private mutating func number(_ text: Span<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard position < end else { return nil }
      let byte = text[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }
}
