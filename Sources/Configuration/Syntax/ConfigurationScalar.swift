/// A type that a configuration writes as one scalar.
protocol ConfigurationScalar {
  /// The expected value, for messages.
  static var expectation: String { get }
  /// Returns the value of a scalar, or nil if it is not of this type.
  static func read(_ content: ConfigurationNode.Content) -> Self?
}

extension Bool: ConfigurationScalar {
  static var expectation: String { "true or false" }

  /// Accepts only the two words of YAML 1.2; `no` is a word like any other.
  static func read(_ content: ConfigurationNode.Content) -> Bool? {
    guard case .plain(let text) = content else { return nil }
    switch text {
    case "true", "True", "TRUE": return true
    case "false", "False", "FALSE": return false
    default: return nil
    }
  }
}

extension String: ConfigurationScalar {
  static var expectation: String { "a string" }

  static func read(_ content: ConfigurationNode.Content) -> String? {
    switch content {
    case .plain(let text), .quoted(let text): text
    case .list, .mapping: nil
    }
  }
}

extension Double: ConfigurationScalar {}
extension Float: ConfigurationScalar {}
extension Int: ConfigurationScalar {}
extension Int8: ConfigurationScalar {}
extension Int16: ConfigurationScalar {}
extension Int32: ConfigurationScalar {}
extension Int64: ConfigurationScalar {}
extension UInt: ConfigurationScalar {}
extension UInt8: ConfigurationScalar {}
extension UInt16: ConfigurationScalar {}
extension UInt32: ConfigurationScalar {}
extension UInt64: ConfigurationScalar {}

extension ConfigurationScalar where Self: BinaryFloatingPoint & LosslessStringConvertible {
  static var expectation: String { "a finite number" }

  static func read(_ content: ConfigurationNode.Content) -> Self? {
    guard case .plain(let text) = content, let digits = decimal(text),
      let value = Self(digits), value.isFinite
    else { return nil }
    return value
  }
}

extension ConfigurationScalar where Self: FixedWidthInteger {
  static var expectation: String {
    // For wide types the bounds would not help the reader.
    bitWidth < 64 ? "an integer from \(min) to \(max)" : isSigned ? "an integer" : "an integer ≥ 0"
  }

  static func read(_ content: ConfigurationNode.Content) -> Self? {
    guard case .plain(let text) = content else { return nil }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(prefix) {
      let digits = text.dropFirst(2)
      return digits.allSatisfy(\.isHexDigit) ? Self(digits, radix: radix) : nil
    }
    guard let digits = decimal(text) else { return nil }
    if let value = Self(digits) { return value }
    // `1e6` and `20.0` are integers too, up to the range in which a Double is exact.
    guard digits.contains(where: { "eE.".contains($0) }), let value = Double(digits),
      value.magnitude < 0x1p53
    else { return nil }
    return Self(exactly: value)
  }
}

/// Returns a decimal number in the form that Swift parses: without underscores between digits. Only
/// digits, a sign, a point and an exponent are accepted (no `nan`, `inf` or hexadecimal fraction).
private func decimal(_ text: String) -> String? {
  var rest = text.unicodeScalars[...]
  var result = ""
  func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  func sign() {
    if let sign = rest.first, sign == "+" || sign == "-" {
      result.unicodeScalars.append(sign)
      rest.removeFirst()
    }
  }
  /// Reads a run of digits; returns nil if an underscore does not stand between two of them.
  func digits() -> Int? {
    let run = rest.prefix { isDigit($0) || $0 == "_" }
    rest.removeFirst(run.count)
    let groups = run.split(separator: "_", omittingEmptySubsequences: false)
    if !run.isEmpty && groups.contains(where: \.isEmpty) { return nil }
    for group in groups { result.unicodeScalars.append(contentsOf: group) }
    return groups.reduce(0) { $0 + $1.count }
  }

  sign()
  guard let whole = digits() else { return nil }
  if whole == 0 { result += "0" }
  var fraction = 0
  if rest.first == "." {
    rest.removeFirst()
    result += "."
    guard let count = digits() else { return nil }
    if count == 0 { result += "0" }
    fraction = count
  }
  guard whole + fraction > 0 else { return nil }
  if let letter = rest.first, letter == "e" || letter == "E" {
    rest.removeFirst()
    result += "e"
    sign()
    guard let count = digits(), count > 0 else { return nil }
  }
  return rest.isEmpty ? result : nil
}
