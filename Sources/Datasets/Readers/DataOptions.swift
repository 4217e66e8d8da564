internal import Names

/// The section `data` of a configuration.
///
///     data:
///       train: [text.txt, more/]     # a file, a list of files and folders, or a folder; shards too
///       valid: 0.05                  # files, or a fraction of train, cut off its end
///       test: test.txt
///       tokenizer: word              # byte | character | word | the path of a vocabulary
///       vocabulary: {size: 10000, min_count: 2}
///       document: none               # none | file | blank_line | line; of shards reset | end_token
///       cache: cache                 # the folder of encoded texts
///
/// Texts or shards are mixed by weights: `train: [{path: shards/code, weight: 0.7}, …]`.
///
/// Files of sequences have a `format` and the other keys of `ReaderOptions`. A generated task has
/// its name and options, and no other key.
public struct DataOptions: Codable, Sendable, Equatable {
  public var train: Paths
  public var valid: HeldOut?
  public var test: HeldOut?
  public var tokenizer: TokenizerChoice
  public var vocabulary: VocabularyOptions
  public var document: DocumentBoundary
  /// The folder of encoded texts; nil for the caller's default.
  public var cache: String?
  /// The options for reading files of sequences; nil for a running text.
  public var reader: ReaderOptions?
  /// The generated task; nil if files are read.
  public var task: TaskOptions?

  public init(
    train: Paths = [], valid: HeldOut? = nil, test: HeldOut? = nil,
    tokenizer: TokenizerChoice = .character, vocabulary: VocabularyOptions = VocabularyOptions(),
    document: DocumentBoundary = .none, cache: String? = nil, reader: ReaderOptions? = nil,
    task: TaskOptions? = nil
  ) {
    self.train = train
    self.valid = valid
    self.test = test
    self.tokenizer = tokenizer
    self.vocabulary = vocabulary
    self.document = document
    self.cache = cache
    self.reader = reader
    self.task = task
  }

  private enum Key: String, CodingKey, CaseIterable {
    case train, valid, test, tokenizer, vocabulary, document, cache, format, task
  }

  // Long because every key has its lines.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    func refuse(_ key: Key, _ reason: String) -> DecodingError {
      .dataCorruptedError(forKey: key, in: values, debugDescription: reason)
    }
    func refuseAll(_ keys: [Key], _ reason: String) throws {
      for key in keys where try values.contains(key) && !values.decodeNil(forKey: key) {
        throw refuse(key, reason)
      }
    }
    self.init()
    if try values.decodeIfPresent(String.self, forKey: .task) != nil {
      let others: [Key] = [.train, .valid, .test, .format, .tokenizer, .vocabulary, .document]
      try refuseAll(
        others, "a task generates its own examples and symbols: remove this key or data.task")
      task = try TaskOptions(from: decoder)
      cache = try values.decodeIfPresent(String.self, forKey: .cache)
      return
    }
    train = try values.decodeIfPresent(Paths.self, forKey: .train) ?? train
    valid = try values.decodeIfPresent(HeldOut.self, forKey: .valid)
    test = try values.decodeIfPresent(HeldOut.self, forKey: .test)
    for (key, part) in [(Key.valid, valid), (.test, test)] {
      if case .text(let paths) = part, paths.weights != nil {
        throw refuse(
          key, "what is only evaluated is read once, without weights: give a list of paths")
      }
      guard let fraction = part?.fraction else { continue }
      guard fraction >= 0 && fraction < 1 else {
        throw refuse(key, "the fraction \(fraction) of train is not in 0..<1: try 0.05")
      }
    }
    guard (valid?.fraction ?? 0) + (test?.fraction ?? 0) < 1 else {
      throw refuse(.test, "valid and test take all of train: lower the fractions")
    }
    if try values.decodeIfPresent(String.self, forKey: .format) != nil {
      let reader = try ReaderOptions(from: decoder)
      guard train.weights == nil else {
        throw refuse(.train, "sequences are not mixed by weights: give a list of paths")
      }
      let numbers: [Key] = reader.format.isText ? [] : [.tokenizer, .vocabulary]
      try refuseAll(numbers, "files of numbers have no symbols: remove this key")
      try refuseAll([.document], "documents are for a running text: remove this key or data.format")
      tokenizer = try values.sequenceTokenizer(
        .tokenizer, allowsTokenizers: reader.format.allowsTokenizers)
      vocabulary =
        try values.decodeIfPresent(VocabularyOptions.self, forKey: .vocabulary) ?? vocabulary
      if reader.format.isText { try values.refuseLimits(of: tokenizer, vocabulary, .vocabulary) }
      cache = try values.decodeIfPresent(String.self, forKey: .cache)
      self.reader = reader
      return
    }
    if let name = try values.decodeIfPresent(String.self, forKey: .tokenizer) {
      guard let known = TokenizerChoice(name) else {
        throw values.unknownName(
          name, of: "tokenizer", among: TokenizerChoice.names,
          or: "./\(name) is a vocabulary in a file of that name", forKey: .tokenizer)
      }
      tokenizer = known
    }
    vocabulary =
      try values.decodeIfPresent(VocabularyOptions.self, forKey: .vocabulary) ?? vocabulary
    try values.refuseLimits(of: tokenizer, vocabulary, .vocabulary)
    if let name = try values.decodeIfPresent(String.self, forKey: .document) {
      guard let known = DocumentBoundary(rawValue: name) else {
        throw values.unknownName(
          name, of: "boundary of documents", among: DocumentBoundary.allCases.map(\.rawValue),
          forKey: .document)
      }
      document = known
    }
    cache = try values.decodeIfPresent(String.self, forKey: .cache)
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encodeIfPresent(cache, forKey: .cache)
    if let task {
      try task.encode(to: encoder)
      return
    }
    try values.encode(train, forKey: .train)
    try values.encodeIfPresent(valid, forKey: .valid)
    try values.encodeIfPresent(test, forKey: .test)
    if let reader { try reader.encode(to: encoder) }
    if reader?.format.isText ?? true {
      try values.encode(tokenizer.name, forKey: .tokenizer)
      try values.encode(vocabulary, forKey: .vocabulary)
    }
    if reader == nil { try values.encode(document.rawValue, forKey: .document) }
  }
}
