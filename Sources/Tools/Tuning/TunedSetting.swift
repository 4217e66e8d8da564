package import Configuration
internal import Foundation

/// A setting over which a search goes: `KEY=1e-4..1e-2:log`, `KEY=2..6` or `KEY=adam,sgd`.
///
/// A range whose ends are whole numbers has whole numbers; `:log` makes equal factors equally likely.
package struct TunedSetting: Equatable, Sendable {
  /// The values of a setting.
  enum Values: Equatable, Sendable {
    case choices([String])
    case numbers(ClosedRange<Double>, isLogarithmic: Bool)
    case integers(ClosedRange<Int>, isLogarithmic: Bool)
  }

  /// The path of the key, as `--set` takes it.
  let key: String
  let values: Values
  /// The setting as it was written.
  let text: String

  /// Parses a setting.
  /// - Throws: `UsageError` if the text is none.
  package init(_ text: String) throws(UsageError) {
    self.text = text
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw Self.wrong(text, "it has no key")
    }
    key = String(text[..<equals])
    let written = String(text[text.index(after: equals)...])
    let choices = Self.split(written)
    if choices.count == 1, let range = try Self.range(written, in: text) {
      values = range
      return
    }
    guard choices.count > 1, choices.allSatisfy({ !$0.isEmpty }) else {
      throw Self.wrong(text, "it has a single value")
    }
    guard Set(choices).count == choices.count else {
      throw Self.wrong(text, "it has a value twice")
    }
    values = .choices(choices)
  }

  /// Parses a range; nil if there are no two dots.
  private static func range(_ written: String, in text: String) throws(UsageError) -> Values? {
    guard let dots = written.range(of: "..") else { return nil }
    var end = written[dots.upperBound...]
    let isLogarithmic = end.hasSuffix(":log")
    if isLogarithmic { end = end.dropLast(4) }
    guard let low = Double(written[..<dots.lowerBound]), let high = Double(end),
      low.isFinite, high.isFinite
    else { throw wrong(text, "its ends are no numbers") }
    guard low < high else { throw wrong(text, "its first end is not below its second") }
    guard !isLogarithmic || low > 0 else {
      throw wrong(text, "a logarithmic range begins above 0")
    }
    if let low = Int(written[..<dots.lowerBound]), let high = Int(end) {
      return .integers(low...high, isLogarithmic: isLogarithmic)
    }
    return .numbers(low...high, isLogarithmic: isLogarithmic)
  }

  private static func wrong(_ text: String, _ what: String) -> UsageError {
    UsageError(
      "--over \(text): \(what); write KEY=1e-4..1e-2:log, KEY=2..6 or KEY=adam,sgd")
  }

  /// Splits choices at commas that are not inside of brackets or quotation marks, so that a choice may be a list,
  /// a mapping or any text.
  private static func split(_ text: String) -> [String] {
    var (choices, depth) = ([""], 0)
    var quote: Character?
    for letter in text {
      if let open = quote {
        if letter == open { quote = nil }
      } else if "\"'".contains(letter) {
        quote = letter
      }
      if quote == nil, "[{".contains(letter) { depth += 1 }
      if quote == nil, "]}".contains(letter) { depth -= 1 }
      if letter == ",", depth == 0, quote == nil {
        choices.append("")
      } else {
        choices[choices.count - 1].append(letter)
      }
    }
    return choices.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// Returns the value at a share of the range, in [0, 1), as a configuration writes it.
  package func value(at share: Double) -> String {
    switch values {
    case .choices(let choices):
      return choices[min(Int(share * Double(choices.count)), choices.count - 1)]
    case .numbers(let range, let isLogarithmic):
      let number = Self.number(at: share, in: range, isLogarithmic)
      // Four digits of the range's width.
      let (low, high) = (range.lowerBound, range.upperBound)
      let digits = 4 + max(0, Int(log10(max(abs(low), abs(high)) / (high - low))))
      let rounded = Double(String(format: "%.\(min(digits, 17))g", number)) ?? number
      return String(format: "%.\(min(digits, 17))g", min(max(rounded, low), high))
    case .integers(let range, let isLogarithmic):
      // Each whole number has the same part of the range, at its ends too.
      let wide = Double(range.lowerBound)...(Double(range.upperBound) + 1)
      let found = Int(Self.number(at: share, in: wide, isLogarithmic).rounded(.down))
      return "\(min(max(found, range.lowerBound), range.upperBound))"
    }
  }

  private static func number(
    at share: Double, in range: ClosedRange<Double>, _ isLogarithmic: Bool
  ) -> Double {
    let (low, high) = (range.lowerBound, range.upperBound)
    return isLogarithmic ? low * pow(high / low, share) : low + (high - low) * share
  }

  /// The number of different values; nil for numbers between two ends.
  var count: Double? {
    switch values {
    case .choices(let choices): Double(choices.count)
    case .integers(let range, _): Double(range.upperBound) - Double(range.lowerBound) + 1
    case .numbers: nil
    }
  }

  /// True if values differ by factors.
  var isLogarithmic: Bool {
    switch values {
    case .choices: false
    case .numbers(_, let isLogarithmic), .integers(_, let isLogarithmic): isLogarithmic
    }
  }
}
