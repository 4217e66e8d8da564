internal import Checkpointing
public import Collectives
internal import Configuration
public import Datasets
internal import Formats
internal import Foundation
public import LinearAlgebra
internal import Recurrence

/// The result of `unroll evaluate` for a text.
public struct TextScore: Sendable {
  /// The sums over all symbols of the text except the first of each stream.
  public let score: Score
  /// Bits per character of the scored symbols. For words, the number of characters is that of the
  /// text, scaled by the fraction of its symbols that were scored; nil for token shards.
  public let bitsPerCharacter: Double?
  /// The symbols of the text that are not in the model's vocabulary.
  public let unknown: UnknownSymbols

  /// Scores texts with a checkpoint's model; documents begin as they did in training. Collective.
  /// - Parameters:
  ///   - texts: The files of the texts.
  ///   - path: A checkpoint, or the folder of a run.
  ///   - batchSize: The number of parallel streams over all ranks.
  ///   - bptt: The number of steps of a window.
  ///   - precision: The number format of the products; nil for that of the run.
  ///   - world: The ranks that share the streams.
  public init(
    of texts: [String], with path: String, batchSize: Int, bptt: Int, precision: Precision? = nil,
    world: any Communicator
  ) throws {
    let (options, (model, weights, vocabulary)) = try world.unanimous {
      let checkpoint = try Checkpoint(verifying: CheckpointStore.locate(path))
      return (try checkpoint.options(), try checkpoint.model(precision: precision))
    }
    // Nothing of the encoded text is kept after it is closed.
    let document = try world.unanimous { try options.data.document.applied(to: texts) }
    let dataset = try world.withTemporaryFolder { folder in
      try world.open(
        DataOptions(train: Paths(texts), document: document),
        Dataset.Vocabularies(inputs: vocabulary), folder: folder, seed: options.seed)
    }
    var windows = EvaluationOptions()
    windows.batchSize = batchSize
    windows.bptt = bptt
    let (evaluation, counted) = try world.unanimous {
      (
        try Evaluation(
          dataset.train, plan: model.plan, windows, world: world,
          bytesPerTarget: dataset.bytesPerTarget(of: dataset.train)),
        world.isRoot ? try TextFiles.characterCount(at: texts) : nil
      )
    }
    let characters = try world.share(counted).map { Double($0) / Double(dataset.train.count) }
    unknown = world.isRoot ? UnknownSymbols(dataset.train, of: dataset) : UnknownSymbols()
    let score = try evaluation.run(model, weights: weights)
    self.score = score
    bitsPerCharacter = characters.map {
      vocabulary.tokenizer.unit == .bitsPerCharacter ? score.bits : score.bits / $0
    }
  }

  public var words: String {
    "loss \(fixed(score.loss, 6)) nats, perplexity \(fixed(score.perplexity, 3)), "
      + (bitsPerCharacter.map { "\(fixed($0, 4)) bits per character, " } ?? "")
      + (score.bitsPerByte.map { "\(fixed($0, 4)) bits per byte, " } ?? "")
      + "\(score.targets) targets"
      + (unknown.words.map { ", \($0)" } ?? "")
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let loss: Double
        let perplexity: Double
        let bits_per_byte: Double?
        let bits_per_character: Double?
        let targets: Int
        let unknown: Int
      }
      let line = Line(
        loss: score.loss, perplexity: score.perplexity, bits_per_byte: score.bitsPerByte,
        bits_per_character: bitsPerCharacter, targets: score.targets, unknown: unknown.count)
      return String(decoding: try JSONValue.encoder().encode(line), as: UTF8.self)
    }
  }
}
