internal import Checkpointing
internal import Configuration
internal import Datasets
internal import Formats
internal import Training

/// The checkpoints of a run, each with all that is needed to resume without the data's files and to verify
/// what is resumed.
final class RunCheckpoints: CheckpointWriter {
  private let options: RunOptions
  private let store: CheckpointStore
  private let dataset: Dataset
  private let worldSize: Int
  private let warn: (String) -> Void
  private lazy var symbols = SavedSymbols(of: dataset)
  /// The time of the last checkpoint, or of the beginning.
  private var last = ContinuousClock.now

  init(
    _ options: RunOptions, in store: CheckpointStore, _ dataset: Dataset, worldSize: Int,
    warn: @escaping (String) -> Void
  ) {
    self.options = options
    self.store = store
    self.dataset = dataset
    self.worldSize = worldSize
    self.warn = warn
  }

  /// Starts to measure the time until the next checkpoint.
  func begin() { last = .now }

  var isDue: Bool {
    guard case .seconds(let seconds) = options.checkpoint.every else { return false }
    return ContinuousClock.now - last >= .seconds(seconds)
  }

  func save(_ snapshot: Snapshot, isBest: Bool) throws -> String {
    let state = CheckpointState(
      step: snapshot.coordinator.step, epoch: snapshot.coordinator.epoch,
      tokens: snapshot.coordinator.tokens, seed: options.seed,
      streams: try JSONValue(encoding: snapshot.cursor),
      random: try JSONValue(encoding: snapshot.counters),
      schedule: try JSONValue(encoding: snapshot.coordinator),
      plateau: try JSONValue(encoding: snapshot.coordinator.plateau),
      earlyStop: try JSONValue(encoding: snapshot.coordinator.earlyStopping),
      bestLoss: snapshot.coordinator.earlyStopping.best, worldSize: worldSize,
      batchSize: options.training.batchSize, configuration: try JSONValue(encoding: options),
      hashes: .init(
        configuration: hexadecimal(checksum(Array(try ResolvedConfiguration.json(options)))),
        model: snapshot.model, data: symbols.data, vocabulary: symbols.vocabulary),
      interface: dataset.interface,
      software: "unroll \(Version.number)")
    let files =
      snapshot.files + symbols.files.map { CheckpointFile($0.name, bytes: $0.bytes) }
    let saved = try store.save(state, files: files, isBest: isBest)
    for warning in saved.warnings { warn(warning) }
    last = .now
    StopRequest.noteSave()
    return saved.path
  }

  /// Tells a supervisor that a run which was asked to stop is saved, also if that was just before the
  /// request.
  func noteSave(of state: CoordinatorState) {
    if store.latest == state.step { StopRequest.noteSave() }
  }
}

/// The description of the data in all checkpoints of a run. It is computed once, because a
/// vocabulary may be large.
private struct SavedSymbols {
  let data, vocabulary: String
  let files: [(name: String, bytes: [UInt8])]

  init(of dataset: Dataset) {
    data = hexadecimal(dataset.hash)
    vocabulary = hexadecimal(dataset.vocabulary.hash)
    var files: [(name: String, bytes: [UInt8])] = [
      (CheckpointFile.Name.vocabulary, dataset.vocabulary.json)
    ]
    if dataset.outputs != dataset.vocabulary {
      files.append((CheckpointFile.Name.outputs, dataset.outputs.json))
    }
    if let source = dataset.source { files.append((CheckpointFile.Name.source, source.json)) }
    if let conditions = dataset.conditions {
      files.append((CheckpointFile.Name.conditions, conditions.json))
    }
    self.files = files
  }
}
