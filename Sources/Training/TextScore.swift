public import Collectives
internal import Datasets
internal import Foundation
internal import Recurrence

/// What `unroll evaluate` says of a text.
public struct TextScore: Sendable {
  /// Sums over all symbols of the text but each stream's first.
  public let score: Score
  /// Characters that the scored symbols stand for; nil where the text is not UTF-8.
  public let characters: Int?
  private let kind: Vocabulary.Kind

  /// Scores texts with a checkpoint's model. Collective.
  /// - Parameter path: a checkpoint, or the folder of a run.
  public init(
    of texts: [String], with path: String, batchSize: Int, bptt: Int, world: any Communicator
  ) throws {
    let (model, weights, vocabulary) = try world.unanimous {
      try Checkpoint(verifying: CheckpointStore.locate(path)).model()
    }
    let cache = FileManager.default.temporaryDirectory.path + "/unroll-\(nonce())"
    defer { try? removeTree(cache) }
    // Nothing is kept, so every rank encodes the text for itself.
    let evaluation = try world.unanimous {
      try createFolders(cache)
      let options = DataOptions(train: Paths(texts))
      let dataset = try Dataset(options, vocabulary: vocabulary, cache: cache, writing: true)
      return try Evaluation(
        dataset.train, plan: model.plan, batchSize: batchSize, bptt: bptt, world: world)
    }
    score = try evaluation.run(model, weights: weights)
    kind = vocabulary.kind
    characters = Self.characters(of: texts)
  }

  /// Bits per character of the text, whatever the symbols are; streams' first symbols are neglected.
  public var bitsPerCharacter: Double? {
    characters.map { score.nats / log(2) / Double(max($0, 1)) }
  }

  public var words: String {
    let bits = bitsPerCharacter.map { ", \(fixed($0, 4)) bits per character" } ?? ""
    return "loss \(fixed(score.loss, 6)) nats, perplexity \(fixed(score.perplexity, 3))\(bits), "
      + "\(score.targets) targets"
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let loss: Double
        let perplexity: Double
        let bits_per_character: Double?
        let targets: Int
      }
      let line = Line(
        loss: score.loss, perplexity: score.perplexity, bits_per_character: bitsPerCharacter,
        targets: score.targets)
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      return String(decoding: try encoder.encode(line), as: UTF8.self)
    }
  }

  /// The number of Unicode scalars of some texts.
  private static func characters(of texts: [String]) -> Int? {
    var total = 0
    for path in texts {
      guard let data = FileManager.default.contents(atPath: path) else { return nil }
      // Every byte that does not continue a scalar begins one.
      total += data.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
    }
    return total
  }
}
