internal import Configuration
internal import Datasets

/// The rules over the options of a preparation.
enum PreparationRules {
  /// - Throws: `UsageError` for options that exclude each other, or would do nothing.
  static func check(
    _ settings: PreparationSettings, _ inputs: PreparedInputs, _ tokenizer: PreparationTokenizer
  ) throws {
    var names = Set(["train"])
    for share in settings.split {
      guard names.insert(share.name).inserted else {
        throw UsageError("--split names \(share.name) twice, or train: give each part another name")
      }
    }
    let shares = settings.split.reduce(0) { $0 + $1.share }
    guard shares < 1 else {
      throw UsageError("--split takes all documents: leave some for train")
    }
    guard settings.split.isEmpty || settings.document != .none else {
      throw UsageError(
        "--split divides documents, and --document none makes none: give --document file, line or "
          + "blank_line")
    }
    guard settings.hasEndTokens || tokenizer.hasEndOfDocument else {
      throw UsageError(
        "--no-end-token has no effect, because the tokenizer has no end-of-document token: remove it"
      )
    }
    guard settings.field == PreparationSettings().field || inputs.hasJSONLines else {
      throw UsageError("--field has no effect, because no text is JSON lines: remove it")
    }
    guard settings.document == PreparationSettings().document || inputs.hasPlainText else {
      throw UsageError("--document has no effect, because a line of JSON is a document: remove it")
    }
    if case .vocabulary(let vocabulary) = tokenizer {
      guard settings.vocabularySize == nil else {
        throw UsageError(
          "--vocabulary-size has no effect, because no symbols are counted: remove it")
      }
      guard settings.invalid == .refuse || !vocabulary.tokenizer.readsBytes else {
        throw UsageError("--invalid has no effect, because any bytes can be encoded: remove it")
      }
    }
  }
}
