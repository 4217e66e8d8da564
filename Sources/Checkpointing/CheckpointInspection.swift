internal import Datasets
public import Formats
internal import Foundation
internal import Recurrence

/// The description of one checkpoint by `unroll checkpoint inspect`.
public struct CheckpointInspection: Encodable {
  /// One parameter.
  public struct Parameter: Encodable, Sendable {
    public let name: String
    public let shape: [Int]
    public let type: String
    /// The Euclidean norm; NaN or infinite if any number is.
    public let norm: Double
  }

  public let path: String
  public let step: Int
  public let epoch: Int
  public let tokens: Int
  public let bestLoss: Double?
  /// The best loss in bits per byte of text; nil if targets are not text.
  public let bestBitsPerByte: Double?
  public let time: String
  public let software: String
  public let seed: UInt64
  public let batchSize: Int
  public let worldSize: Int
  /// The layers in one line.
  public let model: String
  public let parameters: Int
  public let symbols: String
  public let tensors: [Parameter]
  public let files: [CheckpointState.File]
  public let configuration: JSONValue
  private let training: String
  private let data: String

  /// Reads a checkpoint of a model that this program supports.
  /// - Throws: `FileError`.
  public init(_ checkpoint: Checkpoint) throws {
    let state = checkpoint.state
    let (options, vocabulary) = (try checkpoint.options(), try checkpoint.vocabulary())
    let interface = try checkpoint.interface()
    let model = options.model.makeModel(interface, seed: options.seed)
    let layout = ParameterLayout(model.plan)
    path = checkpoint.path
    step = state.step
    epoch = state.epoch
    tokens = state.tokens
    bestLoss = state.bestLoss
    let bytes = checkpoint.content.progress.coordinator.bytesPerTarget
    bestBitsPerByte = state.bestLoss.flatMap { loss in bytes.map { loss / (log(2) * $0) } }
    time = state.time
    software = state.software
    seed = state.seed
    batchSize = state.batchSize
    worldSize = state.worldSize
    self.model = options.model.words(predicting: interface.output)
    parameters = layout.entries.reduce(0) { $0 + $1.count }
    let name = vocabulary.tokenizer.name
    symbols =
      vocabulary.tokenizer.model == nil
      ? "\(vocabulary.count) \(name)s" : "\(vocabulary.count) symbols of \(name)"
    files = state.files
    configuration = state.configuration
    let file = try checkpoint.tensors(of: CheckpointFile.Name.model)
    tensors = try file.tensors.map { tensor throws(FileError) in
      let values = try file.values(tensor.name, as: Float.self)
      let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
      return Parameter(
        name: tensor.name, shape: tensor.shape, type: tensor.type.rawValue,
        norm: squares.squareRoot())
    }
    let length =
      switch options.training.length {
      case .epochs(let epochs): "\(Int(exactly: epochs).map(String.init) ?? "\(epochs)") epochs"
      case .steps(let steps): "\(steps) steps"
      case .tokens(let tokens): "\(tokens) tokens"
      }
    training =
      "\(options.training.batchSize) streams, \(options.training.bptt) steps per window, \(length), "
      + "\(options.training.optimizer.rule), learning rate \(options.training.schedule.learningRate)"
    data = options.data.train.paths.joined(separator: " ")
  }

  public var words: String {
    let bits = bestBitsPerByte.map { ", \(fixed($0, 4)) bits per byte" } ?? ""
    let loss = bestLoss.map { "\(fixed($0, 4)) nats\(bits)" } ?? "not evaluated yet"
    let facts = [
      ["checkpoint", path],
      ["saved", "\(time) by \(software)"],
      ["position", "step \(step), epoch \(epoch), \(tokens) targets seen"],
      ["best loss", loss],
      ["model", "\(model), \(parameters) parameters"],
      ["symbols", symbols],
      ["data", data],
      ["training", training],
      ["begun with", "seed \(seed), \(worldSize) \(worldSize == 1 ? "rank" : "ranks")"],
    ]
    let tensors =
      [["tensor", "shape", "type", "norm"]]
      + self.tensors.map { [$0.name, "\($0.shape)", $0.type, fixed($0.norm, 4)] }
    let files =
      [["file", "size", "crc32"]] + self.files.map { [$0.name, bytes($0.size), $0.crc32] }
    return [
      table(facts), table(tensors, rightAligned: [3]), table(files, rightAligned: [1]),
    ].joined(separator: "\n\n")
  }

  public var json: String { get throws { try prettyJSON(self) } }

  enum CodingKeys: String, CodingKey {
    case path, step, epoch, tokens
    case bestLoss = "best_loss"
    case bestBitsPerByte = "best_bits_per_byte"
    case time, software, seed
    case batchSize = "batch_size"
    case worldSize = "world_size"
    case model, parameters, symbols, tensors, files, configuration
  }
}
