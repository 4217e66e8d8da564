/// The opening of running texts and token shards.
struct TextDataset {
  let vocabulary: Vocabulary
  let train: Split
  let valid, test: Corpus?
  /// Sentences about the state of the cache.
  let notes: [String]

  /// - Parameter given: The vocabulary of a model, which replaces that of the data.
  /// - Throws: `DataError`.
  init(
    _ options: DataOptions, given: Vocabulary?, cache: String, writing: Bool
  ) throws(DataError) {
    let train = try Self.sources(options)
    let fractions = (options.valid?.fraction ?? 0, options.test?.fraction ?? 0)
    let vocabulary: Vocabulary
    if let given {
      vocabulary = given
    } else {
      vocabulary = try Self.vocabulary(options, train, cache: cache, writing: writing)
    }
    var opener = CorpusOpener(
      vocabulary: vocabulary, document: options.document, cache: cache, writing: writing)
    var parts: [(train: Corpus, valid: Corpus, test: Corpus)] = []
    for source in train {
      parts.append(try Self.cut(try opener.open(source), fractions))
    }
    func heldOut(
      _ part: HeldOut?, _ own: [Corpus], _ kind: ShardFiles.Part, _ words: String
    ) throws(DataError) -> Corpus? {
      switch part {
      case nil, .fraction(0): return nil
      case .text(let paths): return try opener.open(TextSource(paths.paths, for: kind))
      case .fraction(let fraction):
        let of = parts.count == 1 ? parts[0].train.name : "each corpus of data.train"
        return .joined(own, name: "the \(words) part (\(fraction)) of \(of)")
      }
    }
    self.vocabulary = vocabulary
    valid = try heldOut(options.valid, parts.map(\.valid), .valid, "validation")
    test = try heldOut(options.test, parts.map(\.test), .test, "test")
    if let weights = options.train.weights {
      self.train = .mixture(Mixture(parts.map(\.train), weights: weights))
    } else {
      self.train = .text(parts[0].train)
    }
    notes = opener.notes
  }

  /// Finds the texts or shards to train on: one of all paths, or one for each path of a mixture.
  private static func sources(_ options: DataOptions) throws(DataError) -> [TextSource] {
    guard options.train.weights != nil else { return [try TextSource(options.train.paths)] }
    var sources: [TextSource] = []
    for path in options.train.paths { sources.append(try TextSource([path])) }
    return sources
  }

  /// Cuts the held-out parts off the end of a corpus.
  private static func cut(
    _ whole: Corpus, _ fractions: (valid: Double, test: Double)
  ) throws(DataError) -> (train: Corpus, valid: Corpus, test: Corpus) {
    let trained = whole.count - heldOutCount(whole.count, fractions.valid + fractions.test)
    let tested = heldOutCount(whole.count, fractions.test)
    // A part with fewer than two symbols has no target.
    guard trained >= 2 || trained == whole.count else {
      throw DataError(
        "\(whole.name) has \(whole.count) symbols, of which data.valid and data.test leave \(trained) to "
          + "train on: give more text, or lower the fractions")
    }
    for (key, fraction, count) in [
      ("valid", fractions.valid, whole.count - tested - trained), ("test", fractions.test, tested),
    ] {
      guard fraction > 0, count < 2 else { continue }
      throw DataError(
        "data.\(key) of \(fraction) is \(count) of the \(whole.count) symbols of \(whole.name), too few "
          + "to predict any: give more text, or a larger fraction")
    }
    return (
      trained == whole.count ? whole : whole.part(0..<trained, name: whole.name),
      whole.part(trained..<whole.count - tested, name: whole.name),
      whole.part(whole.count - tested..<whole.count, name: whole.name)
    )
  }

  /// Returns the vocabulary of the data: that of the shards or their tokenizer, of a file, of every text, or
  /// one that is counted in the training texts.
  private static func vocabulary(
    _ options: DataOptions, _ train: [TextSource], cache: String, writing: Bool
  ) throws(DataError) -> Vocabulary {
    let tokenizer = options.tokenizer
    if let fixed = tokenizer.fixedVocabulary { return fixed }
    for source in train {
      guard case .shards(let shards) = source, tokenizer.counted != nil else { continue }
      return try vocabulary(of: shards, options)
    }
    guard let counted = tokenizer.counted else {
      return try Vocabulary(contentsOf: tokenizer.name)
    }
    var paths: [String] = []
    for source in train { if case .text(_, let own) = source { paths += own } }
    let heldOut = (options.valid?.fraction ?? 0) + (options.test?.fraction ?? 0)
    guard heldOut == 0 || train.count == 1 else {
      throw DataError(
        "the symbols of a mixture are counted in all of its texts, so no part of them can be held "
          + "out: give files in data.valid and data.test, or a vocabulary in data.tokenizer")
    }
    let request = VocabularyRequest(
      text: try TextFiles(paths), tokenizer: counted, options: options.vocabulary, heldOut: heldOut)
    return try request.vocabulary(cache: cache, writing: writing)
  }

  /// Reads the `vocabulary.json` in the folder of shards or the folder above it.
  private static func vocabulary(
    of shards: ShardFiles, _ options: DataOptions
  ) throws(DataError) -> Vocabulary {
    guard options.vocabulary == VocabularyOptions() else {
      throw DataError(
        "the symbols of \(shards.name) are encoded already, so they cannot be limited: remove "
          + "data.vocabulary")
    }
    guard let path = shards.vocabularyPath else {
      throw DataError(
        "no vocabulary.json is beside \(shards.paths[0]) or in the folder above: name the vocabulary "
          + "that it was encoded with in data.tokenizer")
    }
    let vocabulary = try Vocabulary(contentsOf: path)
    guard options.tokenizer == .character || options.tokenizer.name == vocabulary.tokenizer.name
    else {
      throw DataError(
        "data.tokenizer is \(options.tokenizer.name), and \(path) is of "
          + "\(vocabulary.tokenizer.name)s: remove data.tokenizer")
    }
    return vocabulary
  }
}

/// Texts, or token shards.
private enum TextSource {
  case text(TextFiles, [String])
  case shards(ShardFiles)

  init(_ paths: [String], for part: ShardFiles.Part = .train) throws(DataError) {
    if let shards = try ShardFiles(paths, for: part) {
      self = .shards(shards)
      return
    }
    var all: [String] = []
    for path in paths { all += try matches(of: path) }
    self = .text(try TextFiles(all), all)
  }
}

/// Opens texts and shards that are encoded with one vocabulary.
private struct CorpusOpener {
  let vocabulary: Vocabulary
  let document: DocumentBoundary
  let cache: String
  let writing: Bool
  var notes: [String] = []

  mutating func open(_ source: TextSource) throws(DataError) -> Corpus {
    switch source {
    case .shards(let shards):
      return try Corpus(
        shards: shards.paths, vocabulary: vocabulary, document: document, name: shards.name,
        writing: writing)
    case .text(let text, _):
      guard document.isOfText ?? true else {
        throw DataError(
          "data.document is \(document.rawValue), which is for token shards, and \(text.name) is a text: "
            + "set it to \(DocumentBoundary.names(ofText: true))")
      }
      let corpus = try Corpus(
        text, vocabulary: vocabulary, document: document, cache: cache, writing: writing)
      if let note = corpus.note { notes.append(note) }
      return corpus
    }
  }
}

extension TextFiles {
  /// Returns the number of characters of the texts at some paths; nil for token shards.
  public static func characterCount(at paths: [String]) throws(DataError) -> Int? {
    guard case .text(let text, _) = try TextSource(paths) else { return nil }
    return try text.characterCount()
  }
}

extension DocumentBoundary {
  /// Returns the boundary in texts or shards for a model that was trained with this one on the other of
  /// them: files and the index of documents take each other's place.
  public func applied(to paths: [String]) throws(DataError) -> DocumentBoundary {
    let isText = if case .text = try TextSource(paths) { true } else { false }
    guard let isOfText, isOfText != isText else { return self }
    return isText ? .file : .reset
  }
}
