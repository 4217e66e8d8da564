public import Datasets

/// The symbols of a prompt, with the reasons for which a model cannot continue it.
public struct PromptSymbols {
  private let text: String
  public let symbols: [Int32]
  /// The count of those that the model does not know.
  public let unknown: UnknownSymbols

  public init(_ text: String, _ vocabulary: Vocabulary) {
    self.text = text
    symbols = vocabulary.encode(text)
    var unknown = UnknownSymbols()
    unknown.add(symbols, vocabulary)
    self.unknown = unknown
  }

  /// Returns what is wrong with the prompt: it has no symbol that the model knows, or too many; nil if the
  /// model can continue it.
  /// - Parameters:
  ///   - longest: The most outputs of a sequence that the model predicts; nil for any number.
  ///   - model: The name of the model in the sentence.
  public func fault(atMost longest: Int?, of model: String) -> String? {
    if unknown.count > 0, unknown.isAll {
      return
        "no symbol of the prompt \"\(text)\" is in the model's vocabulary: give a prompt of symbols "
        + "that its training text has"
    }
    if let longest, symbols.count > longest {
      return
        "the prompt has \(symbols.count) symbols, and \(model) predicts at most \(longest): give a "
        + "shorter one"
    }
    return nil
  }
}
