internal import Foundation

/// The canonical composition of Unicode, NFC (Unicode Standard Annex 15), of the scalars of Unicode 9.
/// Later ones stay as they are: the library that writes these files knows no others, and a text has the
/// same symbols whatever version the program is built with.
enum CanonicalComposition {
  /// Returns the composed form of a text; nil if the text has it already, as most texts do.
  ///
  /// Only scalars that compose, are composed or are reordered are looked at, each with the scalar
  /// before it: every other scalar begins a part of its own.
  static func compose(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    var composed: [UInt8] = []
    var done = range.lowerBound
    var isChanged = false
    var i = range.lowerBound
    var start = i
    while i < range.upperBound {
      let (code, length) = scalar(text, i, range.upperBound)
      guard takesPart(code) else {
        start = i
        i += length
        continue
      }
      // A later mark is no part of what is composed.
      if start < i, !isKnown(scalar(text, start, i).code) { start = i }
      i += length
      while i < range.upperBound {
        let (next, length) = scalar(text, i, range.upperBound)
        guard takesPart(next) else { break }
        i += length
      }
      let part = (start..<i).map { text[$0] }
      // Bytes that are no UTF-8 stay.
      guard let string = String(validating: part, as: UTF8.self) else { continue }
      let new = Array(string.precomposedStringWithCanonicalMapping.utf8)
      if new != part {
        for k in done..<start { composed.append(text[k]) }
        composed += new
        done = i
        isChanged = true
      }
      start = i
    }
    guard isChanged else { return nil }
    for k in done..<range.upperBound { composed.append(text[k]) }
    return composed
  }

  /// True for a scalar that may change beside others or alone. It may be true for more than need be.
  private static func takesPart(_ code: UInt32) -> Bool {
    if code < 0x300 { return false }
    return code >= 0x40000 ? false : participants[Int(code)]
  }

  private static func isKnown(_ code: UInt32) -> Bool {
    code < 0x300 || Unicode.Scalar(code)?.properties.age.map { $0.major <= 9 } ?? false
  }

  /// Marks, jamo, and the ranges with scalars that have another canonical form.
  private static let participants: [Bool] = {
    let ranges: [ClosedRange<UInt32>] = [
      0x0340...0x0387, 0x1100...0x11FF, 0x1F00...0x1FFF, 0x2000...0x2001, 0x2126...0x212B,
      0x2329...0x232A, 0x2ADC...0x2ADC, 0xF900...0xFAFF, 0xFB1D...0xFB4F, 0x0958...0x095F,
      0x09DC...0x09DF, 0x0A33...0x0A5E, 0x0B5C...0x0B5D, 0x0F40...0x0FBC, 0x1D15E...0x1D1C0,
      0x2F800...0x2FA1F,
    ]
    var table = (0..<UInt32(0x40000)).map { code in
      guard let scalar = Unicode.Scalar(code), let age = scalar.properties.age, age.major <= 9
      else {
        return false
      }
      switch scalar.properties.generalCategory {
      case .nonspacingMark, .spacingMark, .enclosingMark: return true
      default: return scalar.properties.canonicalCombiningClass.rawValue != 0
      }
    }
    for range in ranges { for code in range { table[Int(code)] = true } }
    return table
  }()
}
