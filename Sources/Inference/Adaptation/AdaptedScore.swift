internal import Checkpointing
public import Collectives
internal import Configuration
public import Datasets
internal import Formats
internal import Foundation
public import LinearAlgebra
internal import Recurrence

/// The result of `unroll evaluate --dynamic` and `--cache`.
public struct AdaptedScore: Sendable {
  /// The text to score.
  public enum Selection: Sendable {
    case files([String])
    /// A part of the run's own data.
    case part(SequenceScore.Part)
  }

  /// The sums over all symbols of the text except the first of each stream.
  public let score: Score
  /// The same for the model as it is.
  public let fixedScore: Score
  /// The settings used: those given, or the best of the search.
  public let adaptation: Adaptation
  /// The symbols of the text that are not in the model's vocabulary.
  public let unknown: UnknownSymbols

  /// Scores a text with a checkpoint's model that adapts to it; documents begin as they did in
  /// training. Collective.
  /// - Parameters:
  ///   - selection: The text to score.
  ///   - path: A checkpoint, or the folder of a run.
  ///   - adaptation: The kind of adaptation with its settings.
  ///   - searches: True to take the settings with the lowest loss of the run's validation data.
  ///   - batchSize: The number of parallel streams over all ranks.
  ///   - bptt: The number of steps of a window.
  ///   - precision: The number format of the products; nil for that of the run.
  ///   - world: The ranks that share the work.
  ///   - tried: Called on the root with each of the settings of a search and its score.
  public init(
    of selection: Selection, with path: String, _ adaptation: Adaptation, searches: Bool,
    batchSize: Int, bptt: Int, precision: Precision? = nil, world: any Communicator,
    tried: (Adaptation, Score) -> Void = { _, _ in }
  ) throws {
    let (options, model, weights, vocabulary) = try world.unanimous {
      let checkpoint = try Checkpoint(verifying: CheckpointStore.locate(path))
      let (model, weights) = try checkpoint.anyModel(precision: precision, noise: false)
      return (
        try checkpoint.options(), try Self.checked(model, path), weights,
        try checkpoint.vocabulary()
      )
    }
    let texts = try Texts(
      selection, of: options, vocabulary, training: adaptation.needsTraining, searches: searches,
      world: world)
    let evaluation = AdaptiveEvaluation(
      model: model, weights: weights, training: texts.training, batchSize: batchSize, bptt: bptt,
      world: world)
    self.adaptation =
      try texts.valid.map { valid in
        try evaluation.best(of: adaptation, on: valid) { if world.isRoot { tried($0, $1) } }
      } ?? adaptation
    var windows = EvaluationOptions()
    (windows.batchSize, windows.bptt) = (batchSize, bptt)
    let plain = try world.unanimous {
      try Evaluation(
        .text(texts.scored), plan: model.plan, windows, world: world,
        bytesPerTarget: texts.bytesPerTarget)
    }
    fixedScore = try plain.run(model, weights: weights)
    var score = try evaluation.score(texts.scored, self.adaptation)
    score.bytesPerTarget = texts.bytesPerTarget
    self.score = score
    unknown = texts.unknown
  }

  /// The texts that an adaptation needs.
  private struct Texts {
    let scored: Corpus
    /// The text that the scale of gradients is measured on.
    let training: Corpus?
    /// The text that settings are searched on.
    let valid: Corpus?
    /// The bytes that a symbol of the scored text stands for.
    let bytesPerTarget: Double?
    let unknown: UnknownSymbols

    /// Opens the texts; the data of the run only where it is needed. Collective.
    init(
      _ selection: Selection, of options: RunOptions, _ vocabulary: Vocabulary, training: Bool,
      searches: Bool, world: any Communicator
    ) throws {
      func open(_ data: DataOptions) throws -> Dataset {
        try world.withTemporaryFolder { folder in
          try world.open(
            data, Dataset.Vocabularies(inputs: vocabulary), folder: data.cache ?? folder,
            seed: options.seed)
        }
      }
      var given: Dataset?
      if case .files(let paths) = selection {
        let document = try world.unanimous { try options.data.document.applied(to: paths) }
        given = try open(DataOptions(train: Paths(paths), document: document))
      }
      let own = given == nil || searches || training ? try open(options.data) : nil
      func text(_ split: Split?, _ key: String) throws -> Corpus {
        guard let corpus = split?.corpus else {
          throw UsageError(
            "the run has no text as data.\(key), which --dynamic or --cache needs here: give a text with "
              + "--data, and settings instead of a search")
        }
        return corpus
      }
      (scored, self.training, valid) = try world.unanimous {
        let scored =
          switch selection {
          case .files: try text(given?.train, "train")
          case .part(.valid): try text(own?.valid, "valid")
          case .part(.test): try text(own?.test, "test")
          }
        return (
          scored, training ? try text(own?.train, "train") : nil,
          searches ? try text(own?.valid, "valid") : nil
        )
      }
      bytesPerTarget = (given ?? own)?.bytesPerTarget(of: .text(scored))
      guard world.isRoot, let source = given ?? own else {
        unknown = UnknownSymbols()
        return
      }
      unknown = UnknownSymbols(.text(scored), of: source)
    }
  }

  /// Refuses models for which adaptation has no meaning.
  private static func checked(_ model: any Model, _ path: String) throws -> SequenceModel {
    guard let model = model as? SequenceModel, model.interface.isRunning,
      case .symbols(let count) = model.interface.input, model.interface.output == .symbols(count)
    else {
      throw UsageError(
        "\(path) does not predict the symbols of a running text, to which --dynamic and --cache adapt "
          + "a model: remove the option")
    }
    return model
  }

  public var words: String {
    func words(_ score: Score) -> String {
      "loss \(fixed(score.loss, 6)) nats, perplexity \(fixed(score.perplexity, 3))"
        + (score.bitsPerByte.map { ", \(fixed($0, 4)) bits per byte" } ?? "")
    }
    return "\(words(score)), without adaptation \(words(fixedScore)), \(score.targets) targets"
      + (unknown.words.map { ", \($0)" } ?? "")
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let loss: Double
        let perplexity: Double
        let bits_per_byte: Double?
        let loss_without: Double
        let perplexity_without: Double
        let bits_per_byte_without: Double?
        let targets: Int
        let unknown: Int
        let adaptation: Adaptation
      }
      let line = Line(
        loss: score.loss, perplexity: score.perplexity, bits_per_byte: score.bitsPerByte,
        loss_without: fixedScore.loss, perplexity_without: fixedScore.perplexity,
        bits_per_byte_without: fixedScore.bitsPerByte, targets: score.targets,
        unknown: unknown.count, adaptation: adaptation)
      return String(decoding: try JSONValue.encoder().encode(line), as: UTF8.self)
    }
  }
}

extension Adaptation {
  /// True if the scale of gradients is measured on the training data.
  fileprivate var needsTraining: Bool {
    if case .dynamic(let options) = self { options.rule == .rms } else { false }
  }
}
