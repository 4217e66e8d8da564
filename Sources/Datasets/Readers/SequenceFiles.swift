internal import LinearAlgebra
internal import Sequences

/// The data of sequences in files: the records, and the part to which each belongs.
struct SequenceFiles {
  let options: DataOptions
  let reader: ReaderOptions
  /// The rules for lines and for their sources.
  let cutter, sourceCutter: SequenceCutter
  private(set) var records = Records()
  /// The width of the source's frames; 0 without frames.
  private(set) var sourceWidth = 0
  private(set) var pieces: [[PianoExamples.Chord]] = []
  /// The ranges of records, or of pieces, that belong to each part.
  private(set) var train = 0..<0
  private(set) var valid, test: Range<Int>?

  /// - Parameters:
  ///   - inputs: The vocabulary of a model, which replaces that of a file.
  ///   - source: The same for sources.
  init(
    _ options: DataOptions, _ reader: ReaderOptions, inputs: Vocabulary?, source: Vocabulary?
  ) throws(DataError) {
    self.options = options
    self.reader = reader
    cutter = try SequenceCutter(options.tokenizer, given: inputs)
    sourceCutter = try SequenceCutter(reader.source?.tokenizer ?? .word, given: source)
    let whole = try read(options.train, \.train, known: reader.condition?.train, of: "train")
    let fractions = (options.valid?.fraction ?? 0, options.test?.fraction ?? 0)
    let trained = whole.count - heldOutCount(whole.count, fractions.0 + fractions.1)
    let tested = heldOutCount(whole.count, fractions.1)
    train = 0..<trained
    guard trained > 0 else {
      throw DataError(
        "\(name) leaves no sequence to train on: give more sequences, or lower the fractions")
    }
    valid = try part(
      options.valid, trained..<whole.count - tested, \.valid, known: reader.condition?.valid,
      of: "valid")
    test = try part(
      options.test, whole.count - tested..<whole.count, \.test, known: reader.condition?.test,
      of: "test")
  }

  var name: String { options.train.paths.first ?? "data.train" }

  private var count: Int { reader.format == .piano ? pieces.count : records.records.count }

  private mutating func part(
    _ heldOut: HeldOut?, _ cut: Range<Int>, _ source: KeyPath<SourceOptions, Paths?>,
    known: Paths?, of key: String
  ) throws(DataError) -> Range<Int>? {
    switch heldOut {
    case nil, .fraction(0): return nil
    case .fraction: return cut
    case .text(let paths):
      let found = try read(paths, reader.source?[keyPath: source], known: known, of: key)
      guard !found.isEmpty else {
        throw DataError("\(paths.paths[0]) has no sequences: give some, or remove data.\(key)")
      }
      return found
    }
  }

  private mutating func read(
    _ paths: Paths, _ source: KeyPath<SourceOptions, Paths>, known: Paths?, of key: String
  ) throws(DataError) -> Range<Int> {
    try read(paths, reader.source?[keyPath: source], known: known, of: key)
  }

  private mutating func read(
    _ paths: Paths, _ source: Paths?, known: Paths?, of key: String
  ) throws(DataError) -> Range<Int> {
    let text = try TextFiles(paths.paths)
    let first = count
    switch reader.format {
    case .lines:
      try records.read(text, leading(LineReader(cutter: cutter).read))
    case .tags: try records.read(text, TagReader().read)
    case .labels:
      try records.read(text, leading(LabelReader(cutter: cutter).read))
    case .trees: try records.read(text, TreeReader().read)
    case .piano: pieces += try PianoExamples.read(text)
    case .csv:
      try TableReader(columns: reader.columns!, condition: reader.condition).read(text, &records)
    case .pairs:
      guard let source else {
        throw DataError(
          "data.source.\(key) is missing for \(text.name): give the sources that "
            + "belong to it")
      }
      let pairs = PairReader(cutter: cutter, sourceCutter: sourceCutter)
      if let frames = reader.source!.frames {
        try readFrames(try FrameTable(frames, source.paths), of: text, pairs)
      } else {
        try pairs.read(text, from: TextFiles(source.paths), &records)
      }
    }
    try readConditions(known, of: first..<count, text.name, key)
    return first..<count
  }

  private mutating func readFrames(
    _ frames: FrameTable, of text: TextFiles, _ pairs: PairReader
  ) throws(DataError) {
    guard sourceWidth == 0 || frames.width == sourceWidth else {
      throw DataError(
        "\(frames.name) has frames of \(frames.width) numbers, and the training frames have "
          + "\(sourceWidth): give frames of one width")
    }
    sourceWidth = frames.width
    try pairs.read(text, of: frames, &records)
  }

  /// Reads the conditions of some sequences, if they are in a table of their own.
  private mutating func readConditions(
    _ paths: Paths?, of range: Range<Int>, _ name: String, _ key: String
  ) throws(DataError) {
    guard let condition = reader.condition, condition.train != nil else { return }
    guard let paths else {
      throw DataError(
        "data.condition.\(key) is missing for \(name): give the table that belongs "
          + "to it")
    }
    let text = try TextFiles(paths.paths)
    let known = try ConditionReader(options: condition).read(text, into: &records)
    guard known.count == range.count else {
      throw DataError(
        "\(text.name) has \(known.count) rows and \(name) has \(range.count) sequences: give a row "
          + "for each")
    }
    for (place, known) in zip(range, known) { records.records[place].known = known }
  }

  private typealias Reading = (Span<UInt8>, Line, inout Records) throws(DataError) -> Void

  /// Returns a reader of lines whose leading fields are the condition.
  private func leading(_ read: @escaping Reading) -> Reading {
    guard let condition = reader.condition, condition.train == nil else { return read }
    let fields = ConditionReader(options: condition)
    return { (text, line, records) throws(DataError) in
      guard !text.isBlank(line.content) else { return }
      let (known, rest) = try fields.leading(text, line, &records)
      guard !text.isBlank(rest.content) else {
        throw records.refusal("has no text after the fields of its condition: write one")
      }
      try read(text, rest, &records)
      records.records[records.records.count - 1].known = known
    }
  }

  // MARK: Vocabularies

  /// Returns the parts of conditions; nil if sequences have no condition.
  func conditions() -> ConditionFields? {
    guard let condition = reader.condition else { return nil }
    let classes = condition.classes.enumerated().map { number, column in
      let found = Set(records.records[train].map { $0.known.classes[number] })
      return ConditionFields.Class(
        name: column.name, symbols: names(found, in: records.classes[number]))
    }
    return ConditionFields(
      classes: classes, numbers: records.records[train.lowerBound].known.numbers.count)
  }

  /// Returns some names of a table, in byte order.
  private func names(_ found: Set<Int32>, in names: SymbolTable) -> Vocabulary {
    var table = SymbolTable()
    for name in found.map({ names[Int($0)] }).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      table.insert(name)
    }
    return Vocabulary(NameTokenizer(), table: table)
  }

  /// Returns the vocabularies of inputs (for pairs and lines also of targets), of labels and of the
  /// source.
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
    let inputs = vocabulary(records.inputs, \.inputs, cutter, special, options.vocabulary)
    let source = reader.source.flatMap {
      $0.frames != nil
        ? nil
        : vocabulary(
          records.sources, \.source, sourceCutter, [Vocabulary.endSymbol], $0.vocabulary)
    }
    return (inputs, labels(), source)
  }

  private func vocabulary(
    _ table: SymbolTable, _ symbols: KeyPath<Records.Record, [Int32]>,
    _ cutter: SequenceCutter, _ special: [[UInt8]], _ options: VocabularyOptions
  ) -> Vocabulary {
    let tokenizer: any CountedTokenizer
    switch cutter {
    case .vocabulary(let vocabulary): return vocabulary
    case .counted(let counted): tokenizer = counted
    }
    var counts = [Int](repeating: 0, count: table.count)
    for record in records.records[train] {
      for symbol in record[keyPath: symbols] { counts[Int(symbol)] += 1 }
    }
    return Vocabulary(
      tokenizer, of: table, counts: counts,
      special: [Vocabulary.unknownSymbol] + special, size: options.size, minCount: options.minCount)
  }

  /// Returns the labels of the training part, in byte order.
  private func labels() -> Vocabulary {
    var found: Set<Int32> = []
    for record in records.records[train] {
      found.formUnion(record.labels.filter { $0 != Batch.noTarget })
      if let tree = record.tree { found.formUnion(tree.nodes.map(\.label)) }
    }
    return names(found, in: records.labels)
  }
}
