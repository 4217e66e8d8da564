/// The value of `data.tokenizer`: the name of a tokenizer, or the path of a vocabulary.
public struct TokenizerChoice: Sendable, Equatable {
  /// The name or the path, as a configuration has it.
  let name: String

  public static let byte = TokenizerChoice(ByteTokenizer())
  public static let character = TokenizerChoice(CharacterTokenizer())
  public static let word = TokenizerChoice(WordTokenizer())

  /// A list of words, a `vocabulary.json`, or a file of a tokenizer of the registry.
  public static func vocabulary(path: String) -> TokenizerChoice {
    TokenizerChoice(name: path.contains("/") ? path : "./" + path)
  }

  private init(_ tokenizer: some Tokenizer) { self.init(name: tokenizer.name) }

  private init(name: String) { self.name = name }

  /// A name of the registry, or a path: what has a slash or a dot.
  init?(_ name: String) {
    if Self.names.contains(name) {
      self.init(name: name)
    } else if name.contains("/") || name.contains(".") {
      self = .vocabulary(path: name)
    } else {
      return nil
    }
  }

  /// The names that stand for a tokenizer without a file, in alphabetical order.
  static var names: [String] {
    tokenizers.filter { $1.fixedVocabulary != nil || $1 is any CountedTokenizer }.keys.sorted()
  }

  /// The path of a vocabulary; nil for a tokenizer by its name.
  var path: String? { name.contains("/") ? name : nil }

  /// The tokenizer that counts its symbols in the training text; nil if the choice is another.
  var counted: (any CountedTokenizer)? { tokenizers[name] as? any CountedTokenizer }

  /// The vocabulary that is the same for every text; nil if the choice is another.
  package var fixedVocabulary: Vocabulary? { tokenizers[name]?.fixedVocabulary }
}
