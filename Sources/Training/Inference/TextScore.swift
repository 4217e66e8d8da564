public import Collectives
internal import Configuration
public import Datasets
internal import Formats
internal import Foundation
public import LinearAlgebra
internal import Recurrence

/// What `unroll evaluate` says of a text.
public struct TextScore: Sendable {
  /// Sums over all symbols of the text but each stream's first.
  public let score: Score
  /// Nats over ln 2 and over the characters that the scored symbols stand for. Of words these are the
  /// text's characters in the proportion of the symbols that were scored.
  public let bitsPerCharacter: Double
  /// The symbols of the text that the model does not know.
  public let unknown: UnknownSymbols

  /// Scores texts with a checkpoint's model; documents begin where they did in training. Collective.
  /// - Parameters:
  ///   - path: a checkpoint, or the folder of a run.
  ///   - precision: the number format of the products; nil for that of the run.
  public init(
    of texts: [String], with path: String, batchSize: Int, bptt: Int, precision: Precision? = nil,
    world: any Communicator
  ) throws {
    let (options, (model, weights, vocabulary)) = try world.unanimous {
      let checkpoint = try Checkpoint(verifying: CheckpointStore.locate(path))
      return (try checkpoint.options(), try checkpoint.model(precision: precision))
    }
    // Of the encoded text nothing is kept but what is open.
    let dataset = try world.withTemporaryFolder { folder in
      try world.open(
        DataOptions(train: Paths(texts), document: options.data.document),
        Dataset.Vocabularies(inputs: vocabulary), folder: folder, seed: options.seed)
    }
    var windows = EvaluationOptions()
    windows.batchSize = batchSize
    windows.bptt = bptt
    let (evaluation, counted) = try world.unanimous {
      (
        try Evaluation(dataset.train, plan: model.plan, windows, world: world),
        world.isRoot ? try TextFiles(texts).characterCount() : 0
      )
    }
    let characters = Double(try world.share(counted)) / Double(dataset.train.count)
    unknown = world.isRoot ? UnknownSymbols(dataset.train, of: dataset) : UnknownSymbols()
    score = try evaluation.run(model, weights: weights)
    bitsPerCharacter =
      vocabulary.tokenizer.unit == .bitsPerCharacter ? score.bits : score.bits / characters
  }

  public var words: String {
    "loss \(fixed(score.loss, 6)) nats, perplexity \(fixed(score.perplexity, 3)), "
      + "\(fixed(bitsPerCharacter, 4)) bits per character, \(score.targets) targets"
      + (unknown.words.map { ", \($0)" } ?? "")
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let loss: Double
        let perplexity: Double
        let bits_per_character: Double
        let targets: Int
        let unknown: Int
      }
      let line = Line(
        loss: score.loss, perplexity: score.perplexity, bits_per_character: bitsPerCharacter,
        targets: score.targets, unknown: unknown.count)
      return String(decoding: try JSONValue.encoder().encode(line), as: UTF8.self)
    }
  }
}
