public import Sequences

/// The data of a run: for training, for validation and for the test.
public struct Dataset: Sendable {
  /// The input symbols; empty if inputs are frames.
  public let vocabulary: Vocabulary
  /// The output symbols; those of the input if the data is a text.
  public let outputs: Vocabulary
  /// The source symbols; nil without a source.
  public let source: Vocabulary?
  /// The parts of conditions; nil if sequences have no condition, and for tasks.
  public let conditions: ConditionFields?
  /// The inputs and outputs of a model for this data.
  public let interface: TaskSignature
  public let train: Split
  public let valid: Split?
  public let test: Split?
  /// Sentences about the state of the cache.
  public private(set) var notes: [String] = []

  init(
    vocabulary: Vocabulary, outputs: Vocabulary, source: Vocabulary?,
    conditions: ConditionFields? = nil, interface: TaskSignature, train: Split,
    valid: Split?, test: Split?
  ) {
    self.vocabulary = vocabulary
    self.outputs = outputs
    self.source = source
    self.conditions = conditions
    self.interface = interface
    self.train = train
    self.valid = valid
    self.test = test
  }

  /// Makes the data of a text, whose targets are the next symbols.
  init(vocabulary: Vocabulary, train: Split, valid: Corpus?, test: Corpus?) {
    self.init(
      vocabulary: vocabulary, outputs: vocabulary, source: nil,
      interface: TaskSignature(vocabulary: vocabulary.count), train: train,
      valid: valid.map { .text($0) }, test: test.map { .text($0) })
  }

  /// Opens the data of a configuration: a task, files of sequences, a running text, or token shards.
  /// The vocabulary and the encoded forms of a text are made first if they are missing or out of date.
  ///
  /// All ranks call this: first one of the ranks that share the cache folder, with `writing`, then
  /// the others. Of N symbols, the fractions v and t leave the first N − ⌈N(v + t)⌉ for training;
  /// the next are for validation and the last ⌈Nt⌉ for the test. The vocabulary is made from the
  /// training part only.
  /// - Parameters:
  ///   - options: The section `data` of the configuration.
  ///   - vocabularies: The vocabularies of a model, which replace those of the data.
  ///   - cache: The folder for encoded texts, unless the options name one.
  ///   - writing: True on the rank that makes a vocabulary or encoded text that is missing or out
  ///     of date.
  ///   - seed: The seed of the examples of a task.
  /// - Throws: `DataError`.
  public init(
    _ options: DataOptions, vocabularies: Vocabularies? = nil, cache: String, writing: Bool,
    seed: UInt64 = 1
  ) throws(DataError) {
    if let task = options.task {
      try self.init(task, given: vocabularies, seed: seed)
      return
    }
    try Self.checkFractions(options)
    if let reader = options.reader {
      try self.init(options, reader, given: vocabularies)
      return
    }
    let text = try TextDataset(
      options, given: vocabularies?.inputs, cache: options.cache ?? cache, writing: writing)
    self.init(
      vocabulary: text.vocabulary, train: text.train, valid: text.valid, test: text.test)
    notes = text.notes
  }

  /// Opens the data of a configuration with a model's vocabulary of input symbols.
  public init(
    _ options: DataOptions, vocabulary: Vocabulary?, cache: String, writing: Bool, seed: UInt64 = 1
  ) throws(DataError) {
    try self.init(
      options, vocabularies: vocabulary.map { Vocabularies(inputs: $0) }, cache: cache,
      writing: writing, seed: seed)
  }

  private static func checkFractions(_ options: DataOptions) throws(DataError) {
    let fractions = (options.valid?.fraction ?? 0, options.test?.fraction ?? 0)
    for (key, fraction) in [("valid", fractions.0), ("test", fractions.1)]
    where !(0..<1).contains(fraction) {
      throw DataError("data.\(key) is \(fraction), which is not in 0..<1: give a fraction of train")
    }
    guard fractions.0 + fractions.1 < 1 else {
      let name = options.train.paths.first ?? "data.train"
      throw DataError("data.valid and data.test take all of \(name): lower the fractions")
    }
  }

  /// A hash of all texts and the vocabulary, so that ranks can agree on them and a resumed run can
  /// check that they are the same.
  public var hash: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add(vocabulary.hash)
    if outputs != vocabulary { fingerprint.add(outputs.hash) }
    if let source { fingerprint.add(source.hash) }
    if let conditions { fingerprint.add(conditions.hash) }
    fingerprint.add(train.hash)
    fingerprint.add(valid?.hash ?? 0)
    fingerprint.add(test?.hash ?? 0)
    return fingerprint.value
  }
}
