public import Datasets

/// How many symbols of a text a model's vocabulary does not have; each is read as `<unk>`.
public struct UnknownSymbols: Sendable {
  public let count: Int
  public let total: Int

  public init(_ count: Int, of total: Int) {
    self.count = count
    self.total = total
  }

  /// Counts the symbols of a text that was encoded.
  public init(in symbols: [Int32], of vocabulary: Vocabulary) {
    count = vocabulary.unknown.map { unknown in symbols.count { $0 == unknown } } ?? 0
    total = symbols.count
  }

  /// As in `3 of 40 symbols unknown to the model, 7.5 %`; nil where all are known.
  public var words: String? {
    count == 0
      ? nil
      : "\(count) of \(total) symbols unknown to the model, "
        + "\(fixed(100 * Double(count) / Double(total), 1)) %"
  }

  /// A sentence where more than a tenth are unknown, so that losses say little of the text.
  /// - Parameter text: what the sentence calls it.
  public func warning(of text: String) -> String? {
    guard let words, 10 * count > total else { return nil }
    return
      "\(text) has \(words): it may be in another language, alphabet or form than what the model "
      + "was trained on"
  }

  public static func + (a: UnknownSymbols, b: UnknownSymbols) -> UnknownSymbols {
    UnknownSymbols(a.count + b.count, of: a.total + b.total)
  }
}
