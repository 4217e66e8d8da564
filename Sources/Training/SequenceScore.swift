public import Collectives
internal import Datasets
internal import Foundation
public import LinearAlgebra
internal import Recurrence

/// What `unroll evaluate` says of sequences: those of a file in the model's format, or a part of the
/// data that the model was trained with.
public struct SequenceScore: Sendable {
  /// Which sequences are scored.
  public enum Selection: Sendable {
    /// Files in the format of the run's data; sources of pairs beside them.
    case files([String], source: String?)
    /// The part of the run's own data.
    case part(Part)
  }

  public enum Part: String, CaseIterable, Sendable {
    case valid, test
  }

  /// Sums over everything that is asked for.
  public let score: Score
  private let unit: Unit

  /// Scores sequences with a checkpoint's model. Collective.
  /// - Parameters:
  ///   - path: a checkpoint, or the folder of a run.
  ///   - precision: the number format of the products; nil for that of the run.
  public init(
    of selection: Selection, with path: String, batchSize: Int, precision: Precision? = nil,
    world: any Communicator
  ) throws {
    let (options, vocabularies, (model, weights)) = try world.unanimous {
      let checkpoint = try Checkpoint(verifying: CheckpointStore.locate(path))
      return (
        try checkpoint.options(), try checkpoint.vocabularies(),
        try checkpoint.anyModel(precision: precision)
      )
    }
    let cache = FileManager.default.temporaryDirectory.path + "/unroll-\(nonce())"
    defer { try? removeTree(cache) }
    let (dataset, part) = try world.unanimous { () throws -> (Dataset, DataPart) in
      try createFolders(cache)
      var data = options.data
      if case .files(let paths, let source) = selection {
        guard options.data.reader != nil else {
          throw UsageError(
            "the run was trained on a generated task, which has no files: give --part valid or test")
        }
        data.train = Paths(paths)
        (data.valid, data.test) = (nil, nil)
        data.reader?.measure(source: source)
        if data.reader?.format == .pairs, source == nil {
          throw UsageError("pairs have sources: give their file with --source")
        }
      }
      let dataset = try Dataset(
        data, vocabularies: vocabularies, cache: cache, writing: true, seed: options.seed)
      switch selection {
      case .files: return (dataset, dataset.train)
      case .part(let part):
        guard let chosen = part == .valid ? dataset.valid : dataset.test else {
          throw UsageError("the run has no data.\(part.rawValue): give files with --data")
        }
        return (dataset, chosen)
      }
    }
    let evaluation = try world.unanimous {
      var windows = options.evaluation
      windows.batchSize = batchSize
      return try Evaluation(part, plan: model.plan, windows, world: world)
    }
    score = try evaluation.run(model, weights: weights)
    unit = Unit(dataset)
  }

  public var words: String {
    let loss = "loss \(fixed(score.loss, 6))" + (unit == .squaredError ? "" : " nats")
    return [loss, unit.words(score), "\(score.targets) targets"].compactMap(\.self)
      .joined(separator: ", ")
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let loss: Double
        let accuracy: Double?
        let targets: Int
      }
      let line = Line(
        loss: score.loss,
        accuracy: unit == .squaredError || unit == .nats ? nil : score.accuracy,
        targets: score.targets)
      return String(decoding: try JSONValue.encoder().encode(line), as: UTF8.self)
    }
  }
}
