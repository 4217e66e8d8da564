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
  /// The checkpoint that is being written, or whose report has not been asked for.
  private var current: BackgroundSave?
  private var isInBackground = false
  /// The last report of all.
  private var report: CheckpointReport?
  /// The longest time in which a checkpoint was written so far, in seconds.
  private(set) var longestSeconds: Double?

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

  /// The reason for which the last checkpoint could not be written; nil if it was, or if there is none.
  var failure: FileError? { report?.failure }

  var isDue: Bool {
    guard case .seconds(let seconds) = options.checkpoint.every,
      current?.result != nil || current == nil
    else { return false }
    return ContinuousClock.now - last >= .seconds(seconds)
  }

  func begin(_ snapshot: Snapshot, isBest: Bool, inBackground: Bool) throws {
    precondition(current == nil, "two checkpoints at once")
    let save = BackgroundSave(try state(of: snapshot), in: store)
    current = save
    self.isInBackground = inBackground
    last = .now
    if inBackground {
      save.start(snapshot, symbols, isBest: isBest)
    } else {
      save.write(snapshot, symbols, isBest: isBest)
    }
  }

  func poll() -> CheckpointReport? { current?.result.map(take) }

  func finish() -> CheckpointReport? { (current?.wait()).map(take) }

  func checkpoint(ofStep step: Int?) throws -> Checkpoint? {
    // One of a later step than the latest is of a course that was given up.
    if let step, step <= store.latest ?? -1 {
      do {
        return try Checkpoint(verifying: store.path(ofStep: step))
      } catch {
        warn("\(error); the run goes back further.")
      }
    }
    let found = try store.resume()
    if let warning = found?.warning { warn(warning) }
    return found?.checkpoint
  }

  /// Takes the outcome of the checkpoint that was begun.
  private func take(_ outcome: BackgroundSave.Outcome) -> CheckpointReport {
    current = nil
    report = outcome.report
    for warning in outcome.warnings { warn(warning) }
    if outcome.report.failure == nil {
      // One in the background may be of a step before the request.
      if !isInBackground { StopRequest.noteSave() }
      longestSeconds = max(longestSeconds ?? 0, outcome.report.writeSeconds)
    }
    return outcome.report
  }

  /// Returns the contents of `state.json`.
  private func state(of snapshot: Snapshot) throws -> CheckpointState {
    CheckpointState(
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
  }

  /// Tells a supervisor that a run which was asked to stop is saved, also if that was just before the
  /// request.
  func noteSave(of state: CoordinatorState) {
    if store.latest == state.step { StopRequest.noteSave() }
  }
}

/// The description of the data in all checkpoints of a run. It is computed once, because a
/// vocabulary may be large.
struct SavedSymbols: Sendable {
  let data, vocabulary: String
  private let files: [(name: String, bytes: [UInt8])]

  /// The files of a checkpoint.
  var checkpointFiles: [CheckpointFile] {
    files.map { CheckpointFile($0.name, bytes: $0.bytes) }
  }

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
