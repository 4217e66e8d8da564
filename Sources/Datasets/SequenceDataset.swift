internal import Sequences

extension Dataset {
  /// The vocabularies of a model, which replace those of the data; nil for a vocabulary that is
  /// made from the data.
  public struct Vocabularies: Codable, Sendable {
    public var inputs: Vocabulary
    public var outputs, source: Vocabulary?
    /// The parts of conditions.
    public var conditions: ConditionFields?

    public init(
      inputs: Vocabulary, outputs: Vocabulary? = nil, source: Vocabulary? = nil,
      conditions: ConditionFields? = nil
    ) {
      self.inputs = inputs
      self.conditions = conditions
      self.outputs = outputs
      self.source = source
    }
  }

  /// Makes the data of a generated task, without files.
  init(
    _ options: TaskOptions, given: Vocabularies?, seed: UInt64
  ) throws(DataError) {
    let task = options.task
    let inputs = Vocabulary(names: task.inputs)
    let outputs = task.outputs == task.inputs ? inputs : Vocabulary(names: task.outputs)
    if let given, given.inputs != inputs || (given.outputs ?? outputs) != outputs {
      throw DataError(
        "the model's symbols are not those of the task \(options.name): give the task, with the "
          + "options, that the model was made for")
    }
    self.init(
      vocabulary: inputs, outputs: outputs, source: nil, interface: task.interface,
      train: .examples(options.examples(.train, seed: seed)!),
      valid: options.examples(.valid, seed: seed).map { .examples($0) },
      test: options.examples(.test, seed: seed).map { .examples($0) })
  }

  /// Reads files of sequences into memory.
  init(
    _ options: DataOptions, _ reader: ReaderOptions, given: Vocabularies?
  ) throws(DataError) {
    let files = try SequenceFiles(
      options, reader, inputs: given?.inputs, source: given?.source)
    var vocabularies = files.vocabularies()
    let asksForLabels = !vocabularies.labels.isEmpty
    let found = files.conditions()
    var conditions = found
    if let given {
      vocabularies.inputs = given.inputs
      if asksForLabels { vocabularies.labels = given.outputs ?? vocabularies.labels }
      if reader.format == .pairs, files.sourceWidth == 0 {
        vocabularies.source = given.source ?? vocabularies.source
      }
      if let known = given.conditions { conditions = known }
    }
    guard conditions?.classes.count == found?.classes.count, conditions?.numbers == found?.numbers
    else {
      throw DataError(
        "\(files.name) has other conditions than the model takes: \(conditions?.words ?? "none")"
      )
    }
    guard asksForLabels || reader.columns?.classes == nil else {
      throw DataError("\(files.name) has no class in any training row: write some")
    }
    try files.checkSpecialSymbols(of: vocabularies)
    func part(
      _ range: Range<Int>?, _ name: String, _ heldOut: HeldOut?
    ) throws(DataError) -> Split? {
      guard let range else { return nil }
      var title = files.name
      switch heldOut {
      case .text(let paths): title = paths.paths[0]
      case .fraction(let fraction): title = "the \(name) part (\(fraction)) of \(files.name)"
      case nil: break
      }
      return .examples(
        try files.examples(range, name: title, measured: heldOut != nil, vocabularies, conditions))
    }
    let train = try part(files.train, "training", nil)!
    let valid = try part(files.valid, "validation", options.valid)
    let test = try part(files.test, "test", options.test)
    var interface = files.interface(vocabularies)
    interface.condition = conditions?.numbers ?? 0
    interface.classes = conditions?.classes.map(\.symbols.count) ?? []
    interface.ends = files.ends(of: train, symbol: vocabularies.inputs.end)
    if case .numbers = reader.columns?.answer {
      // If every row is a sequence of its own, this cannot be told.
      interface.asksOnce =
        train.examples?.longest.steps ?? 0 > 1
        && [train, valid, test].allSatisfy { $0?.asksAtEnds ?? true }
    }
    self.init(
      vocabulary: vocabularies.inputs,
      outputs: asksForLabels ? vocabularies.labels : vocabularies.inputs,
      source: vocabularies.source, conditions: conditions, interface: interface, train: train,
      valid: valid, test: test)
  }
}

extension SequenceFiles {
  /// Refuses vocabularies of a model that lack the symbols which the format needs.
  fileprivate func checkSpecialSymbols(
    of vocabularies: (inputs: Vocabulary, labels: Vocabulary, source: Vocabulary?)
  ) throws(DataError) {
    let needsEnds = reader.format == .lines || reader.format == .pairs
    func isFit(_ vocabulary: Vocabulary?, begins: Bool, ends: Bool) -> Bool {
      guard let vocabulary else { return false }
      return (vocabulary.unknown != nil || !(vocabulary.tokenizer is any CountedTokenizer))
        && (!begins || vocabulary.begin != nil) && (!ends || vocabulary.end != nil)
    }
    for (key, cutter, begins) in [
      ("tokenizer", cutter, true), ("source.tokenizer", sourceCutter, false),
    ] where needsEnds {
      guard let vocabulary = cutter.vocabulary,
        !isFit(vocabulary, begins: begins, ends: true)
      else { continue }
      throw DataError(
        "the vocabulary of data.\(key) has no symbols for the \(begins ? "begin and the " : "")end of a "
          + "sequence, such as <s> and </s> of SentencePiece: give one that has")
    }
    guard
      !reader.format.isText
        || isFit(vocabularies.inputs, begins: needsEnds, ends: needsEnds),
      reader.format != .pairs || sourceWidth > 0
        || isFit(vocabularies.source, begins: false, ends: true)
    else {
      throw DataError(
        "the model's vocabulary lacks the symbols that sequences in the format "
          + "\(reader.format.rawValue) need: give data like that which the model was trained on")
    }
  }

  /// Returns the possible ends of sequences whose inputs are the targets of the step before; nil
  /// for other data.
  /// - Parameter symbol: The end-of-sequence symbol.
  fileprivate func ends(of part: Split, symbol: Int32?) -> TaskSignature.Ends? {
    guard let set = part.examples else { return nil }
    let longest = set.longest.steps
    switch reader.format {
    case .lines, .pairs:
      return symbol.map { TaskSignature.Ends(symbol: Int($0), longest: longest - 1) }
    case .piano: return TaskSignature.Ends(longest: longest)
    case .csv:
      guard reader.columns?.valueCount ?? 0 > 0, longest > 1 else { return nil }
      let reads = (0..<set.count).allSatisfy { set.example($0, epoch: 1).readsItsValues }
      return reads ? TaskSignature.Ends(longest: longest) : nil
    case .tags, .labels, .trees: return nil
    }
  }

  /// Returns the inputs and outputs of a model for these sequences.
  fileprivate func interface(
    _ vocabularies: (inputs: Vocabulary, labels: Vocabulary, source: Vocabulary?)
  ) -> TaskSignature {
    let symbols = vocabularies.inputs.count
    let labels = vocabularies.labels.count
    switch reader.format {
    case .lines, .pairs:
      return TaskSignature(
        input: .symbols(symbols), output: .symbols(symbols),
        source: vocabularies.source?.count ?? 0, sourceFrames: sourceWidth)
    case .tags: return TaskSignature(input: .symbols(symbols), output: .symbols(labels))
    case .trees where reader.view.isTree:
      return TaskSignature(input: .symbols(symbols), output: .symbols(labels), isTree: true)
    case .labels, .trees:
      return TaskSignature(input: .symbols(symbols), output: .symbols(labels), asksOnce: true)
    case .piano: return TaskSignature(input: .frames(labels), output: .labels(labels))
    case .csv:
      let columns = reader.columns!
      var interface = TaskSignature(
        input: columns.inputs.isEmpty ? .nothing : .frames(columns.inputs.count),
        output: .numbers(columns.valueCount))
      if columns.classes != nil { interface.output = .symbols(labels) }
      if case .label = columns.answer { interface.asksOnce = true }
      return interface
    }
  }
}
