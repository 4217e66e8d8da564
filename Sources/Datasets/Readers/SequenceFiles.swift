internal import LinearAlgebra
internal import Recurrence

/// The parts of a data set whose sequences are in files: the records, and which are of which part.
struct SequenceFiles {
  let options: DataOptions
  let reader: ReaderOptions
  private(set) var records = Records()
  private(set) var pieces: [[PianoExamples.Chord]] = []
  /// The records of each part, or the pieces.
  private(set) var train = 0..<0
  private(set) var valid, test: Range<Int>?

  init(_ options: DataOptions, _ reader: ReaderOptions) throws(DataError) {
    self.options = options
    self.reader = reader
    let whole = try read(options.train, \.train, of: "train")
    let fractions = (options.valid?.fraction ?? 0, options.test?.fraction ?? 0)
    let trained = whole.count - heldOutCount(whole.count, fractions.0 + fractions.1)
    let tested = heldOutCount(whole.count, fractions.1)
    train = 0..<trained
    guard trained > 0 else {
      throw DataError(
        "\(name) leaves no sequence to train on: give more sequences, or lower the fractions")
    }
    valid = try part(options.valid, trained..<whole.count - tested, \.valid, of: "valid")
    test = try part(options.test, whole.count - tested..<whole.count, \.test, of: "test")
  }

  var name: String { options.train.paths.first ?? "data.train" }

  private var count: Int { reader.format == .piano ? pieces.count : records.records.count }

  private mutating func part(
    _ heldOut: HeldOut?, _ cut: Range<Int>, _ source: KeyPath<SourceOptions, Paths?>, of key: String
  ) throws(DataError) -> Range<Int>? {
    switch heldOut {
    case nil, .fraction(0): return nil
    case .fraction: return cut
    case .text(let paths):
      let found = try read(paths, source, of: key)
      guard !found.isEmpty else {
        throw DataError("\(paths.paths[0]) has no sequences: give some, or remove data.\(key)")
      }
      return found
    }
  }

  private mutating func read(
    _ paths: Paths, _ source: KeyPath<SourceOptions, Paths>, of key: String
  ) throws(DataError) -> Range<Int> {
    try read(paths, reader.source?[keyPath: source], of: key)
  }

  private mutating func read(
    _ paths: Paths, _ source: KeyPath<SourceOptions, Paths?>, of key: String
  ) throws(DataError) -> Range<Int> {
    try read(paths, reader.source?[keyPath: source], of: key)
  }

  private mutating func read(
    _ paths: Paths, _ source: Paths?, of key: String
  ) throws(DataError) -> Range<Int> {
    let text = try TextFiles(paths.paths)
    let first = count
    switch reader.format {
    case .lines: try records.read(text, LineReader(tokenizer: options.tokenizer).read)
    case .tags: try records.read(text, TagReader().read)
    case .labels: try records.read(text, LabelReader(tokenizer: options.tokenizer).read)
    case .trees: try records.read(text, TreeReader().read)
    case .piano: pieces += try PianoExamples.read(text)
    case .csv: try TableReader(columns: reader.columns!).read(text, &records)
    case .pairs:
      guard let source else {
        throw DataError("data.source.\(key) is missing for \(text.name): give the files beside it")
      }
      try PairReader(
        tokenizer: options.tokenizer, sourceTokenizer: reader.source!.tokenizer
      ).read(text, from: TextFiles(source.paths), &records)
    }
    return first..<count
  }

  // MARK: Vocabularies

  /// The symbols read (and, of pairs and lines, asked for), the labels, and the symbols encoded.
  func vocabularies() -> (inputs: Vocabulary, labels: Vocabulary, source: Vocabulary?) {
    guard reader.format.isText else {
      let keys = (0..<PianoExamples.keys).map(String.init)
      return (
        Vocabulary(names: []), reader.format == .piano ? Vocabulary(names: keys) : labels(), nil
      )
    }
    let special: [[UInt8]] =
      reader.format == .lines || reader.format == .pairs
      ? [Vocabulary.beginSymbol, Vocabulary.endSymbol] : []
    let inputs = vocabulary(
      records.inputs, \.inputs, options.tokenizer, special, options.vocabulary)
    let source = reader.source.map {
      vocabulary(
        records.sources, \.source, $0.tokenizer, [Vocabulary.endSymbol], $0.vocabulary)
    }
    return (inputs, labels(), source)
  }

  private func vocabulary(
    _ table: SymbolTable, _ symbols: KeyPath<Records.Record, [Int32]>, _ tokenizer: Tokenizer,
    _ special: [[UInt8]], _ options: VocabularyOptions
  ) -> Vocabulary {
    var counts = [Int](repeating: 0, count: table.count)
    for record in records.records[train] {
      for symbol in record[keyPath: symbols] { counts[Int(symbol)] += 1 }
    }
    return Vocabulary(
      kind: tokenizer == .character ? .character : .word, of: table, counts: counts,
      special: [Vocabulary.unknownSymbol] + special, size: options.size, minCount: options.minCount)
  }

  /// The labels of the part to train on, in the order of their bytes.
  private func labels() -> Vocabulary {
    var found: Set<Int32> = []
    for record in records.records[train] {
      found.formUnion(record.labels.filter { $0 != Batch.noTarget })
      if let tree = record.tree { found.formUnion(tree.nodes.map(\.label)) }
    }
    var table = SymbolTable()
    for label in found.map({ records.labels[Int($0)] }).sorted(by: {
      $0.lexicographicallyPrecedes($1)
    }) {
      table.insert(label)
    }
    return Vocabulary(kind: .name, table: table)
  }
}
