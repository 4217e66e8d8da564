internal import Checkpointing
public import Collectives
internal import Configuration
public import Datasets
internal import Formats
internal import Foundation
public import LinearAlgebra
internal import Recurrence
internal import Sequences

/// The result of `unroll evaluate` for sequences: those of files in the model's format, or a part
/// of the data that the model was trained with.
public struct SequenceScore: Sendable {
  /// The sequences to score.
  public enum Selection: Sendable {
    /// Files in the format of the run's data, with the files of their sources and conditions.
    case files([String], source: String?, conditions: String? = nil)
    /// A part of the run's own data.
    case part(Part)
  }

  public enum Part: String, CaseIterable, Sendable {
    case valid, test
  }

  /// The sums over all targets.
  public let score: Score
  /// Further measures for some data: entities of tags, BLEU of decoded outputs.
  public let measures: [(name: String, value: Double)]
  /// The symbols that are not in the model's vocabulary.
  public let unknown: UnknownSymbols
  private let unit: ScoreUnit

  /// Scores sequences with a checkpoint's model. Collective.
  /// - Parameters:
  ///   - selection: The sequences to score.
  ///   - path: A checkpoint, or the folder of a run.
  ///   - batchSize: The number of sequences in a batch; nil for one, or for `batchTokens`.
  ///   - batchTokens: The most steps × sequences in a batch, in place of `batchSize`; nil for the
  ///     run's value, unless a batch size is given.
  ///   - beam: The width of beam search, for models with an encoder; 0 computes the loss only.
  ///   - free: The lengths of free runs, for models of series; nil for none.
  ///   - precision: The number format of the products; nil for that of the run.
  ///   - world: The ranks that share the sequences.
  public init(
    of selection: Selection, with path: String, batchSize: Int? = nil, batchTokens: Int? = nil,
    beam: Int = 1, free: FreeSteps? = nil, precision: Precision? = nil, world: any Communicator
  ) throws {
    let (options, vocabularies, (model, weights)) = try world.unanimous {
      let checkpoint = try Checkpoint(verifying: CheckpointStore.locate(path))
      return (
        try checkpoint.options(), try checkpoint.vocabularies(),
        try checkpoint.anyModel(precision: precision)
      )
    }
    let data = try world.unanimous { try Self.data(of: selection, options.data) }
    // Nothing of the encoded texts is kept after they are closed.
    let opened = try world.withTemporaryFolder { folder in
      try world.open(data, vocabularies, folder: data.cache ?? folder, seed: options.seed)
    }
    let (dataset, part) = try world.unanimous { () throws -> (Dataset, Split) in
      let dataset = try opened.ending(
        by: options.model.end, known: model.interface.ends, checking: (world.rank, world.size))
      return (dataset, try Self.part(selection, of: dataset, for: model, with: path))
    }
    try world.unanimous {
      let format = SeriesFormat(options.data, readsItsOutputs: model.interface.ends != nil)
      if free != nil, !dataset.interface.output.isOfNumbers || format == nil {
        throw UsageError(
          "\(path) does not predict its own next inputs, so it cannot run on its own outputs: "
            + "remove --free and --after")
      }
    }
    var windows = options.evaluation
    windows.batchSize = batchSize ?? 1
    windows.batchTokens = batchTokens ?? (batchSize == nil ? windows.batchTokens : nil)
    let evaluation = try world.unanimous {
      try Evaluation(
        part, plan: model.plan, windows, world: world,
        bytesPerTarget: dataset.bytesPerTarget(of: part))
    }
    score = try evaluation.run(model, weights: weights)
    unknown = world.isRoot ? UnknownSymbols(part, of: dataset) : UnknownSymbols()
    unit = ScoreUnit(dataset, hasEnds: options.model.end != .symbol)
    guard let model = model as? SequenceModel, case .examples(let set) = part else {
      measures = []
      return
    }
    switch options.data.reader?.format {
    case _ where dataset.interface.output.isOfNumbers:
      let numbers = NumberScore(model: model, weights: weights, world: world)
      measures =
        try numbers.errors(on: part, windows.loaderRequest(in: world))
        + (free.map { try numbers.freeErrors(on: set, $0, batchSize: windows.batchSize) } ?? [])
    case .tags:
      measures = try Self.entities(model, weights, dataset.outputs, part, windows, world)
    case _ where dataset.interface.encoded != nil && beam > 0:
      measures = try Self.decoded(model, weights, dataset.outputs, set, beam, world)
    default: measures = []
    }
  }

  /// Returns the options of the data to score: those of the run, or the run's format with other files.
  private static func data(
    of selection: Selection, _ trained: DataOptions
  ) throws -> DataOptions {
    guard case .files(let paths, let source, let known) = selection else { return trained }
    guard trained.reader != nil else {
      throw UsageError(
        "the run was trained on a generated task, which has no files: give --part valid or test")
    }
    var data = trained
    data.train = Paths(paths)
    (data.valid, data.test) = (nil, nil)
    data.reader?.measure(source: source, known: known)
    let hasTable = data.reader?.condition.map { !$0.leads } ?? false
    if hasTable != (known != nil) {
      throw UsageError(
        hasTable
          ? "the conditions of the sequences are in a table: give its file with --conditions"
          : "the conditions of these sequences are not in a table: remove --conditions")
    }
    if data.reader?.format == .pairs, source == nil {
      throw UsageError("pairs have sources: give their file with --source")
    }
    return data
  }

  /// Returns the part of the opened data to score, which must be for the model.
  private static func part(
    _ selection: Selection, of dataset: Dataset, for model: any Model, with path: String
  ) throws -> Split {
    guard model.interface.takes(dataset.interface) else {
      throw FileError(
        .damaged, path,
        "\(path) has other inputs or targets than \(dataset.train.name): give data like that "
          + "which it was trained on")
    }
    switch selection {
    case .files:
      // A model with one target per sequence was never trained on outputs before the end.
      guard !model.interface.asksOnce || dataset.train.asksAtEnds else {
        throw UsageError(
          "the model predicts once per sequence, at its end, and \(dataset.train.name) has "
            + "targets at other steps: give data like that which it was trained on")
      }
      return dataset.train
    case .part(let part):
      guard let chosen = part == .valid ? dataset.valid : dataset.test else {
        throw UsageError("the run has no data.\(part.rawValue): give files with --data")
      }
      return chosen
    }
  }

  /// Returns precision, recall and F1 of the entities that tags describe.
  private static func entities(
    _ model: SequenceModel, _ weights: ParameterVector, _ tags: Vocabulary, _ part: Split,
    _ windows: EvaluationOptions, _ world: any Communicator
  ) throws -> [(name: String, value: Double)] {
    var sum = EntityScore()
    var request = windows.loaderRequest(in: world)
    request.bptt = nil
    func name(_ tag: Int) -> String { String(decoding: tags.symbol(Int32(tag)), as: UTF8.self) }
    var (predicted, truth): ([[String]], [[String]]) = ([], [])
    try Predictions(of: model, weights: weights, on: part, request).forEach { batch, t, outputs in
      if t == 0 {
        sum = sum + Measures.entities(predicted, truth: truth)
        predicted = Array(repeating: [], count: batch.streams)
        truth = predicted
      }
      let targets = batch.targets.elements()
      for s in 0..<batch.streams where t < Int(batch.lengths.elements()[s]) {
        let row = outputs[s]
        predicted[s].append(name(row.indexOfMaximum))
        truth[s].append(name(Int(targets[t * batch.streams + s])))
      }
    }
    sum = sum + Measures.entities(predicted, truth: truth)
    var sums = [Double(sum.right), Double(sum.found), Double(sum.present)]
    try world.sum(&sums)
    let all = EntityScore(right: Int(sums[0]), found: Int(sums[1]), present: Int(sums[2]))
    return [("precision", all.precision), ("recall", all.recall), ("f1", all.f1)]
  }

  /// Compares the decoded output of each source with the target.
  private static func decoded(
    _ model: SequenceModel, _ weights: ParameterVector, _ symbols: Vocabulary,
    _ set: any ExampleSet, _ beam: Int, _ world: any Communicator
  ) throws -> [(name: String, value: Double)] {
    guard let start = symbols.begin, let end = symbols.end else { return [] }
    let decoder = SequenceDecoder(
      model, weights: weights, start: start, end: end,
      excluded: Set([start, symbols.unknown].compactMap(\.self)))
    var (right, wrong, bleu) = (Ratio(part: 0, whole: 0), Ratio(part: 0, whole: 0), BLEU())
    // The groups are the same for any world size, so that decoded outputs are the same to the bit.
    let groups = SequenceDecoder.groups(
      ofSources: (0..<set.count).map { set.steps(of: $0, epoch: 1).source }, hypotheses: beam)
    for number in stride(from: world.rank, to: groups.count, by: world.size) {
      let examples = groups[number].map { set.example($0, epoch: 1) }
      let found = decoder.search(
        examples.map {
          DecoderInput(
            source: $0.source, frames: $0.sourceFrames, condition: $0.condition, classes: $0.classes
          )
        }, beam: beam)
      let said = found.map { $0.first?.symbols ?? [] }
      let truth = examples.map { Array($0.targets.dropLast()) }
      right = right + Measures.exactMatch(said, truth: truth)
      wrong = wrong + Measures.symbolErrorRate(said, truth: truth)
      // Sub-words are no words; characters and words are counted as they are.
      bleu =
        bleu
        + (symbols.tokenizer is any CountedTokenizer
          ? Measures.bleu(said, references: truth)
          : Measures.bleu(said.map(symbols.words(of:)), references: truth.map(symbols.words(of:))))
    }
    var sums =
      [right.part, right.whole, wrong.part, wrong.whole, bleu.words, bleu.referenceWords]
      .map(Double.init) + (bleu.matches + bleu.runs).map(Double.init)
    try world.sum(&sums)
    let whole = sums.map { Int($0) }
    (bleu.words, bleu.referenceWords) = (whole[4], whole[5])
    bleu.matches = Array(whole[6..<6 + bleu.matches.count])
    bleu.runs = Array(whole[(6 + bleu.matches.count)...])
    return [
      ("bleu", bleu.score), ("exact_match", Ratio(part: whole[0], whole: whole[1]).value),
      ("symbol_error_rate", Ratio(part: whole[2], whole: whole[3]).value),
    ]
  }

  public var words: String {
    let loss = "loss \(fixed(score.loss, 6)) \(unit.lossWords)"
    let more = measures.map { name, value in
      // The error of a free run may be below a thousandth.
      let figure = value < 0.01 ? String(format: "%.3g", value) : fixed(value, 4)
      return "\(name.replacing("_", with: " ")) \(figure)"
    }
    let figures = [loss, unit.words(score), unit.byteWords(score), score.rootWords].compactMap(
      \.self)
    return (figures + more + ["\(score.targets) targets"] + [unknown.words].compactMap(\.self))
      .joined(separator: ", ")
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let loss: Double
        let accuracy: Double?
        let bits_per_byte: Double?
        /// For trees.
        let root_accuracy: Double?
        let measures: [String: Double]?
        let targets: Int
        let unknown: Int?
      }
      let line = Line(
        loss: score.loss,
        accuracy: unit == .squaredError || unit == .nats ? nil : score.accuracy,
        bits_per_byte: score.bitsPerByte, root_accuracy: score.rootAccuracy,
        measures: measures.isEmpty ? nil : Dictionary(uniqueKeysWithValues: measures),
        targets: score.targets, unknown: unknown.count == 0 ? nil : unknown.count)
      return String(decoding: try JSONValue.encoder().encode(line), as: UTF8.self)
    }
  }
}

extension TaskSignature {
  /// True if a model of this signature can read the inputs and predict the targets of data with
  /// another.
  fileprivate func takes(_ data: TaskSignature) -> Bool {
    var data = data
    (data.asksOnce, data.isRunning, data.ends) = (asksOnce, isRunning, ends)
    return data == self
  }
}

extension TaskSignature.Output {
  fileprivate var isOfNumbers: Bool { if case .numbers = self { true } else { false } }
}

extension Vocabulary {
  /// Returns the words of a sequence.
  fileprivate func words(of symbols: [Int32]) -> [Substring] {
    decode(symbols).split(whereSeparator: \.isWhitespace)
  }
}
