/// How files of sequences are read: their format, and what a format asks for besides.
public struct ReaderOptions: Codable, Sendable, Equatable {
  public var format: SequenceFormat
  /// Of trees: what is an example, in training and in what is measured on.
  public var view, testView: TreeView
  /// Of pairs: what an encoder reads.
  public var source: SourceOptions?
  /// Of tables of numbers.
  public var columns: ColumnOptions?

  public init(
    _ format: SequenceFormat, view: TreeView = .root, testView: TreeView? = nil,
    source: SourceOptions? = nil, columns: ColumnOptions? = nil
  ) {
    self.format = format
    self.view = view
    self.testView = testView ?? view
    self.source = source
    self.columns = columns
  }

  /// Reads what is to be measured on in place of what was trained on.
  /// - Parameter path: the sources of pairs.
  public mutating func measure(source path: String?) {
    view = testView
    guard let path else { return }
    source?.train = Paths([path])
    source?.valid = nil
    source?.test = nil
  }

  private enum Key: String, CodingKey {
    case format, view, source, columns
    case testView = "test_view"
  }

  /// Decodes the mapping that names the format, what the format asks for beside it.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    guard let name = try keys.decodeIfPresent(String.self, forKey: .format) else {
      throw keys.refusal(.format, "a format is missing: name one")
    }
    guard let format = SequenceFormat(rawValue: name) else {
      let names = SequenceFormat.allCases.map(\.rawValue).joined(separator: ", ")
      throw keys.refusal(.format, "no format is called \(name); there are \(names)")
    }
    self.init(format)
    switch format {
    case .trees:
      view = try keys.choice(.view, default: .root)
      testView = try keys.choice(.testView, default: view)
      guard view.isTree == testView.isTree else {
        throw keys.refusal(
          .testView,
          "one model reads sequences (root, phrases) or trees (nodes, tree), not both: give view and "
            + "test_view of one kind")
      }
    case .pairs: source = try keys.decode(SourceOptions.self, forKey: .source)
    case .csv: columns = try keys.decode(ColumnOptions.self, forKey: .columns)
    case .lines, .tags, .labels, .piano: break
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(format.rawValue, forKey: .format)
    if format == .trees {
      try keys.encode(view.rawValue, forKey: .view)
      try keys.encode(testView.rawValue, forKey: .testView)
    }
    try keys.encodeIfPresent(source, forKey: .source)
    try keys.encodeIfPresent(columns, forKey: .columns)
  }
}

/// The formats of files of sequences.
public enum SequenceFormat: String, Sendable, CaseIterable {
  /// A sequence a line, whose next symbol is asked for.
  case lines
  /// `token|TAG` of a sequence a line: a tag for each token.
  case tags
  /// `label⇥text` a line: the label at the text's end.
  case labels
  /// A bracketed tree a line: the label of the whole, or of every phrase.
  case trees
  /// A sequence a line, and in other files the one that it is made from.
  case pairs
  /// A piece a line, its steps parted by ` | `, each the keys that sound: the next step's.
  case piano
  /// Numbers in columns, some of which are read; others are asked for, or the next row, or classes.
  case csv

  /// Whether it is cut into symbols of a vocabulary.
  var isText: Bool { self != .piano && self != .csv }
  /// Whether the text may be cut into characters.
  var allowsCharacters: Bool { self == .lines || self == .labels || self == .pairs }
}

/// What is an example of a tree.
public enum TreeView: String, Sendable, CaseIterable {
  /// The whole sentence, with the label of the root.
  case root
  /// Every phrase, one for each node, with the label of its node.
  case phrases
  /// The tree itself, with the labels of all nodes.
  case nodes
  /// The tree itself, with the label of the root.
  case tree

  /// Whether examples are trees, and not sequences that are made of them.
  package var isTree: Bool { self == .nodes || self == .tree }
}

/// What an encoder reads: the files beside those of what is to be said.
public struct SourceOptions: Codable, Sendable, Equatable {
  public var train: Paths
  public var valid, test: Paths?
  public var tokenizer: Tokenizer
  public var vocabulary: VocabularyOptions

  public init(
    train: Paths, valid: Paths? = nil, test: Paths? = nil, tokenizer: Tokenizer = .word,
    vocabulary: VocabularyOptions = VocabularyOptions()
  ) {
    self.train = train
    self.valid = valid
    self.test = test
    self.tokenizer = tokenizer
    self.vocabulary = vocabulary
  }

  private enum Key: String, CodingKey { case train, valid, test, tokenizer, vocabulary }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    train = try keys.decode(Paths.self, forKey: .train)
    valid = try keys.decodeIfPresent(Paths.self, forKey: .valid)
    test = try keys.decodeIfPresent(Paths.self, forKey: .test)
    tokenizer = try keys.sequenceTokenizer(.tokenizer, allowsCharacters: true)
    vocabulary =
      try keys.decodeIfPresent(VocabularyOptions.self, forKey: .vocabulary) ?? VocabularyOptions()
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(train, forKey: .train)
    try keys.encodeIfPresent(valid, forKey: .valid)
    try keys.encodeIfPresent(test, forKey: .test)
    try keys.encode(tokenizer.name, forKey: .tokenizer)
    try keys.encode(vocabulary, forKey: .vocabulary)
  }
}

extension KeyedDecodingContainer {
  /// How sequences are cut into symbols: words unless characters are asked for and possible.
  func sequenceTokenizer(_ key: Key, allowsCharacters: Bool) throws -> Tokenizer {
    switch try decodeIfPresent(String.self, forKey: key) {
    case nil, "word": return .word
    case "character" where allowsCharacters: return .character
    case let name?:
      throw refusal(
        key,
        "'\(name)' does not cut sequences of this format into symbols: "
          + (allowsCharacters ? "give word or character" : "its tokens are words"))
    }
  }
}
