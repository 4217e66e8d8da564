internal import Formats

extension JSONValue {
  /// Makes a number that transformers takes for a float, which must not be written as an integer: a whole
  /// number is replaced with the next Double, which is the same Float.
  static func float(_ value: Double) -> JSONValue {
    .number(value == value.rounded() ? value.nextUp : value)
  }
}

extension ForeignConfiguration {
  /// Returns a number above 0 that `JSONValue.float` wrote, or another program.
  func float(_ key: String, default fallback: Double) throws(FileError) -> Double {
    let value = try number(key, default: fallback)
    return value.nextDown == value.rounded() ? value.rounded() : value
  }
}
