internal import Names

/// The format of files of sequences, and the options of that format.
public struct ReaderOptions: Codable, Sendable, Equatable {
  public var format: SequenceFormat
  /// For trees: the form of an example, in training and in evaluation.
  public var view, testView: TreeView
  /// For pairs: the source.
  public var source: SourceOptions?
  /// For tables of numbers: the roles of the columns.
  public var columns: ColumnOptions?
  /// The condition of each sequence; nil for none.
  public var condition: ConditionOptions?

  public init(
    _ format: SequenceFormat, view: TreeView = .root, testView: TreeView? = nil,
    source: SourceOptions? = nil, columns: ColumnOptions? = nil,
    condition: ConditionOptions? = nil
  ) {
    self.format = format
    self.view = view
    self.testView = testView ?? view
    self.source = source
    self.columns = columns
    self.condition = condition
  }

  /// Replaces the training files with files to evaluate.
  /// - Parameters:
  ///   - path: The sources of pairs.
  ///   - known: The table of conditions, if conditions are in a table of their own.
  public mutating func measure(source path: String?, known: String? = nil) {
    view = testView
    if let known, condition?.train != nil {
      condition?.train = Paths([known])
      condition?.valid = nil
      condition?.test = nil
    }
    guard let path else { return }
    source?.train = Paths([path])
    source?.valid = nil
    source?.test = nil
  }

  private enum Key: String, CodingKey {
    case format, view, source, columns, condition
    case testView = "test_view"
  }

  /// Decodes the mapping that contains the format and the options of the format.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    guard let name = try keys.decodeIfPresent(String.self, forKey: .format) else {
      throw keys.refusal(.format, "a format is missing: name one")
    }
    guard let format = SequenceFormat(rawValue: name) else {
      throw keys.unknownName(
        name, of: "format", among: SequenceFormat.allCases.map(\.rawValue), forKey: .format)
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
    condition = try keys.decodeIfPresent(ConditionOptions.self, forKey: .condition)
    if let problem = condition?.incompatibility(with: format) {
      throw keys.refusal(.condition, problem)
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
    try keys.encodeIfPresent(condition, forKey: .condition)
  }
}

/// The formats of files of sequences.
public enum SequenceFormat: String, Sendable, CaseIterable {
  /// One sequence per line; the targets are the next symbols.
  case lines
  /// One sequence per line of `token|TAG`; the target is a tag per token.
  case tags
  /// `label⇥text` per line; the target is the label, at the text's end.
  case labels
  /// One bracketed tree per line; the target is the label of the whole, or of every phrase.
  case trees
  /// One sequence per line, with its source in other files.
  case pairs
  /// One piece per line, its steps separated by ` | `; the target is the set of keys of the next
  /// step.
  case piano
  /// Numbers in columns, some of which are inputs. Targets are other columns, the next row, or
  /// classes.
  case csv

  /// True if a tokenizer cuts the text into symbols of a vocabulary.
  var isText: Bool { self != .piano && self != .csv }
  /// True if any counted tokenizer may cut the text. In other formats the file itself says what the
  /// symbols are: words.
  var allowsTokenizers: Bool { self == .lines || self == .labels || self == .pairs }
}

/// The form of an example made from a tree.
public enum TreeView: String, Sendable, CaseIterable {
  /// The whole sentence, with the label of the root.
  case root
  /// Every phrase, one per node, with the label of its node.
  case phrases
  /// The tree itself, with the labels of all nodes.
  case nodes
  /// The tree itself, with the label of the root.
  case tree

  /// True if examples are trees, not sequences made from them.
  package var isTree: Bool { self == .nodes || self == .tree }
}

/// The source: files with one line per target sequence, or frames by the name at the start of each
/// target sequence.
public struct SourceOptions: Codable, Sendable, Equatable {
  public var train: Paths
  public var valid, test: Paths?
  public var tokenizer: TokenizerChoice
  public var vocabulary: VocabularyOptions
  /// The format of frames of numbers; nil if the source is a text.
  public var frames: FrameOptions?

  public init(
    train: Paths, valid: Paths? = nil, test: Paths? = nil, tokenizer: TokenizerChoice = .word,
    vocabulary: VocabularyOptions = VocabularyOptions(), frames: FrameOptions? = nil
  ) {
    self.frames = frames
    self.train = train
    self.valid = valid
    self.test = test
    self.tokenizer = tokenizer
    self.vocabulary = vocabulary
  }

  private enum Key: String, CodingKey {
    case format, train, valid, test, tokenizer, vocabulary, columns
  }

  private enum Format: String, CaseIterable { case text, csv, arrays }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    train = try keys.paths(of: .train)
    valid = try keys.pathsIfPresent(of: .valid)
    test = try keys.pathsIfPresent(of: .test)
    let format = try keys.choice(.format, default: Format.text)
    (tokenizer, vocabulary) = (.word, VocabularyOptions())
    let others: [Key] =
      switch format {
      case .text: [.columns]
      case .csv: [.tokenizer, .vocabulary]
      case .arrays: [.tokenizer, .vocabulary, .columns]
      }
    for key in others where try keys.contains(key) && !keys.decodeNil(forKey: key) {
      throw keys.refusal(
        key, "a source of the format \(format.rawValue) has no \(key.stringValue): remove this key")
    }
    switch format {
    case .csv: frames = .table(try keys.decode(FrameColumns.self, forKey: .columns))
    case .arrays: frames = .arrays
    case .text:
      tokenizer = try keys.sequenceTokenizer(.tokenizer, allowsTokenizers: true)
      vocabulary =
        try keys.decodeIfPresent(VocabularyOptions.self, forKey: .vocabulary) ?? vocabulary
      try keys.refuseLimits(of: tokenizer, vocabulary, .vocabulary)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(train, forKey: .train)
    try keys.encodeIfPresent(valid, forKey: .valid)
    try keys.encodeIfPresent(test, forKey: .test)
    switch frames {
    case .table(let columns):
      try keys.encode(Format.csv.rawValue, forKey: .format)
      try keys.encode(columns, forKey: .columns)
    case .arrays: try keys.encode(Format.arrays.rawValue, forKey: .format)
    case nil:
      try keys.encode(Format.text.rawValue, forKey: .format)
      try keys.encode(tokenizer.name, forKey: .tokenizer)
      try keys.encode(vocabulary, forKey: .vocabulary)
    }
  }
}

extension KeyedDecodingContainer {
  /// Refuses limits of a vocabulary that is not counted.
  func refuseLimits(
    of tokenizer: TokenizerChoice, _ vocabulary: VocabularyOptions, _ key: Key
  ) throws {
    guard vocabulary != VocabularyOptions(), tokenizer.counted == nil else { return }
    throw refusal(
      key,
      "a vocabulary that is not counted in the text cannot be limited: remove size and min_count")
  }

  /// Decodes the tokenizer of sequences: words, unless another counted tokenizer or the path of a vocabulary
  /// is asked for and allowed.
  func sequenceTokenizer(_ key: Key, allowsTokenizers: Bool) throws -> TokenizerChoice {
    guard let name = try decodeIfPresent(String.self, forKey: key) else { return .word }
    let choice = TokenizerChoice(name)
    if let choice,
      choice == .word || allowsTokenizers && (choice.counted != nil || choice.path != nil)
    {
      return choice
    }
    let others = tokenizers.values.compactMap { ($0 as? any CountedTokenizer)?.name }
    let names = ["word"] + others.filter { $0 != "word" }.sorted()
    throw refusal(
      key,
      "'\(name)' does not cut sequences of this format into symbols: "
        + (allowsTokenizers
          ? "give \(listed(names, "or")), or the path of a vocabulary" : "its tokens are words"))
  }
}

/// Returns names as a part of a sentence: `a, b and c`.
func listed(_ names: [String], _ conjunction: String) -> String {
  guard names.count > 1, let last = names.last else { return names.first ?? "" }
  return names.dropLast().joined(separator: ", ") + " \(conjunction) " + last
}
