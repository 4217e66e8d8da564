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
    guard let dots = written.range(of: "..") else {
      let choices = Self.split(written)
      guard choices.count > 1, choices.allSatisfy({ !$0.isEmpty }) else {
        throw Self.wrong(text, "it has a single value")
      }
      guard Set(choices).count == choices.count else {
        throw Self.wrong(text, "it has a value twice")
      }
      values = .choices(choices)
      return
    }
    var end = written[dots.upperBound...]
    let isLogarithmic = end.hasSuffix(":log")
    if isLogarithmic { end = end.dropLast(4) }
    guard let low = Double(written[..<dots.lowerBound]), let high = Double(end),
      low.isFinite, high.isFinite
    else { throw Self.wrong(text, "its ends are no numbers") }
    guard low < high else { throw Self.wrong(text, "its first end is not below its second") }
    guard !isLogarithmic || low > 0 else {
      throw Self.wrong(text, "a logarithmic range begins above 0")
    }
    if let low = Int(written[..<dots.lowerBound]), let high = Int(end) {
      values = .integers(low...high, isLogarithmic: isLogarithmic)
    } else {
      values = .numbers(low...high, isLogarithmic: isLogarithmic)
    }
  }

  private static func wrong(_ text: String, _ what: String) -> UsageError {
    UsageError(
      "--over \(text): \(what); write KEY=1e-4..1e-2:log, KEY=2..6 or KEY=adam,sgd")
  }

  /// Splits choices at commas that are not inside of brackets, so that a choice may be a list or a mapping.
  private static func split(_ text: String) -> [String] {
    var (choices, depth) = ([""], 0)
    for letter in text {
      if "[{".contains(letter) { depth += 1 }
      if "]}".contains(letter) { depth -= 1 }
      if letter == ",", depth == 0 {
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
      return String(format: "%.4g", Self.number(at: share, in: range, isLogarithmic))
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

  /// True if values differ by factors.
  var isLogarithmic: Bool {
    switch values {
    case .choices: false
    case .numbers(_, let isLogarithmic), .integers(_, let isLogarithmic): isLogarithmic
    }
  }
}
