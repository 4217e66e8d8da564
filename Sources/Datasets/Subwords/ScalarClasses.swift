/// The classes of Unicode scalars that a pre-tokenizer tells apart: the letters `\p{L}`, the numbers
/// `\p{N}`, the white space `\s` and everything else.
enum ScalarClass {
  static let other: UInt8 = 0
  static let letter: UInt8 = 1
  static let number: UInt8 = 2
  static let space: UInt8 = 3
}

/// The class of every scalar below U+40000 in Unicode 16, so that a text has the same symbols whatever
/// version the program is built with. The planes above hold neither letters nor numbers.
let scalarClasses: [UInt8] = (0..<UInt32(0x40000)).map { code in
  guard let scalar = Unicode.Scalar(code), let age = scalar.properties.age, age.major <= 16 else {
    return ScalarClass.other
  }
  if scalar.properties.isWhitespace { return ScalarClass.space }
  switch scalar.properties.generalCategory {
  case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
    return ScalarClass.letter
  case .decimalNumber, .letterNumber, .otherNumber: return ScalarClass.number
  default: return ScalarClass.other
  }
}

/// Returns the scalar at `i` of a text in UTF-8 and the number of its bytes. A byte that is no UTF-8 is
/// U+FFFD.
@inline(__always)
func scalar(_ text: Span<UInt8>, _ i: Int, _ end: Int) -> (code: UInt32, length: Int) {
  let lead = text[i]
  if lead < 0x80 { return (UInt32(lead), 1) }
  return wideScalar(text, i, end)
}

private func wideScalar(_ text: Span<UInt8>, _ i: Int, _ end: Int) -> (code: UInt32, length: Int) {
  let lead = UInt32(text[i])
  let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
  guard lead >= 0xC2, lead < 0xF5, i + length <= end else { return (0xFFFD, 1) }
  var code = lead & (0xFF >> UInt32(length + 1))
  for k in 1..<length {
    let next = UInt32(text[i + k])
    guard next & 0xC0 == 0x80 else { return (0xFFFD, 1) }
    code = code << 6 | next & 0x3F
  }
  return (code, length)
}

/// Returns the class of the scalar at `i` and the number of its bytes.
@inline(__always)
func classify(
  _ text: Span<UInt8>, _ i: Int, _ end: Int, _ classes: borrowing [UInt8]
) -> (class: UInt8, length: Int) {
  let (code, length) = scalar(text, i, end)
  return (code < 0x40000 ? classes[Int(code)] : ScalarClass.other, length)
}
