public import Checkpointing
public import Collectives
public import Configuration
public import Datasets
public import Exchange
internal import Formats
internal import Foundation
internal import Inference
internal import LinearAlgebra
public import Logging
internal import Recurrence
internal import Reporting
public import Training

/// The starting point of a run.
public enum Resume: Equatable, Sendable {
  /// The latest checkpoint of its folder, if there is one.
  case auto
  /// The beginning, in an unused folder.
  case none
  /// The given checkpoint.
  case path(String)
}

/// A request for a run.
public struct RunRequest: Sendable {
  public var options: RunOptions
  /// The text of the configuration, kept in the run's folder.
  public var given: String
  public var folder: RunFolder
  public var resume: Resume
  /// The checkpoint or file of tensors from whose weights the run starts.
  public var initFrom: String?
  /// The factor of the update gates in such a file; nil for the value in the file, or else the
  /// past.
  public var updateGate: UpdateGate?
  public var progress: ConsoleOptions.Progress
  /// True to open and check everything without training. Only encoded texts are written into the
  /// run's folder.
  public var isRehearsal: Bool
  /// The number of steps between gradient diagnoses; nil for none.
  public var diagnosingEvery: Int?
  /// The time by which the run must have ended; nil for none.
  public var timeLimit: TimeLimit?
  /// The step after which the run is saved and stops, to be resumed; nil to go on to its end.
  public var stopStep: Int?

  public init(
    _ options: RunOptions, given: String = "", folder: RunFolder, resume: Resume = .auto,
    initFrom: String? = nil, updateGate: UpdateGate? = nil,
    progress: ConsoleOptions.Progress = .none,
    isRehearsal: Bool = false, diagnosingEvery: Int? = nil, timeLimit: TimeLimit? = nil,
    stopStep: Int? = nil
  ) {
    self.options = options
    self.given = given
    self.folder = folder
    self.resume = resume
    self.initFrom = initFrom
    self.updateGate = updateGate
    self.progress = progress
    self.isRehearsal = isRehearsal
    self.diagnosingEvery = diagnosingEvery
    self.timeLimit = timeLimit
    self.stopStep = stopStep
  }
}

/// A run from its folder to its outcome, on one rank of a world.
///
/// All ranks agree on any error before the first step. Only the root uses the run's folder, decides
/// what is resumed, and prints messages.
public final class Run {
  public let trainer: Trainer
  public let dataset: Dataset
  private let request: RunRequest
  private let world: any Communicator
  private let store: CheckpointStore
  /// The reports of the root; nil on every other rank.
  private let reports: Reports?
  private let log: Logger
  private let lock: FolderLock?
  private let need: MemoryEstimate
  /// The memory that a rank and each layer needs, as `--check` prints it.
  public var memory: String { need.table }
  /// The parameters with a learning rate or a weight decay of their own, a line for each setting.
  public var parameterSettings: [String] { trainer.weights.layout.ownSettings }

  /// Opens the data, makes the model and restores the checkpoint, if any. Collective.
  /// - Parameters:
  ///   - request: The options of the run, its folder, and where it starts from.
  ///   - world: The ranks of the job.
  ///   - log: The log for messages about the run.
  ///   - sinks: Further places for the results of the root, after the metrics file and the console.
  ///   - makeReducer: Makes the sum of gradients over ranks.
  public init(
    _ request: RunRequest, world: any Communicator, log: Logger, sinks: [any MetricsSink] = [],
    reducer makeReducer: (ReducerRequest) -> any GradientReducer = makeGradientReducer
  ) throws {
    self.request = request
    self.world = world
    self.log = log
    let options = request.options
    store = CheckpointStore(
      request.folder.checkpoints, keep: options.checkpoint.keep,
      keepEvery: options.checkpoint.keepEvery)
    let resolved = Array(try ResolvedConfiguration.json(options))
    let start: Start?
    (start, lock) = try Self.openFolder(request, store, world)
    let vocabularies = try world.share(start?.vocabularies)
    let dataset = try Self.open(options, vocabularies, cache: request.folder.cache, world)
    self.dataset = dataset
    let hosts = try world.gatherHostNames()
    let reports =
      world.isRoot ? Reports(request, store, dataset, hosts: hosts, log: log, further: sinks) : nil
    self.reports = reports
    if world.isRoot { for note in dataset.notes { log.warning("\(note)") } }
    try world.unanimous { try Self.check(request, against: dataset) }
    let need = MemoryEstimate(options, dataset, world)
    self.need = need
    try world.unanimous { try need.check() }
    trainer = try world.unanimous {
      try Trainer(
        options, dataset: dataset, world: world, sinks: reports?.sinks ?? [],
        checkpoints: reports?.checkpoints, reducer: makeReducer,
        diagnosingEvery: request.diagnosingEvery)
    }
    if world.isRoot, let note = trainer.sharingNote { log.warning("\(note)") }
    // Test data that cannot be read should be reported now, not at the end of the run.
    try world.unanimous {
      _ = try dataset.test?.loader(options.evaluation.loaderRequest(in: world))
    }
    try Self.agree(resolved, dataset, trainer.model, world)
    if world.isRoot { for note in trainer.sampleNotes { log.warning("\(note)") } }
    let weights = try world.unanimous { try start?.weights(for: trainer.model) }
    try trainer.begin(from: weights, updateGate: request.updateGate)

    // Nothing is written until everything is known to fit.
    try resume(from: start?.checkpoint)
    try checkSpace()
    if request.isRehearsal { return }
    try world.unanimous {
      if world.isRoot { try request.folder.prepare(given: request.given, resolved: resolved) }
    }
    try goBack(to: start?.checkpoint)
    let state = trainer.coordinator.state
    try world.unanimous { try reports?.open(at: state) }
    reports?.begin(trainer, start?.warning)
    watchTimeLimit()
    trainer.coordinator.stopStep = request.stopStep
  }

  /// Asks the run to stop when its time limit is near, which the root watches for all ranks.
  private func watchTimeLimit() {
    guard let reports, let limit = request.timeLimit else { return }
    let space = trainer.checkpointSpace
    let isAsked = trainer.isAskedToStop
    log.info("\(limit.announcement)")
    trainer.isAskedToStop = {
      isAsked()
        || limit.isNear(checkpointSeconds: reports.checkpoints.longestSeconds, of: space)
    }
  }

  /// True if the time limit, not a signal, has stopped the run.
  private var hasReachedLimit: Bool {
    guard let reports, let limit = request.timeLimit, !StopRequest.isMade else { return false }
    return limit.isNear(
      checkpointSeconds: reports.checkpoints.longestSeconds, of: trainer.checkpointSpace)
  }

  /// Locks the folder, and reads the checkpoint or the weights to start from, on the root. Collective.
  private static func openFolder(
    _ request: RunRequest, _ store: CheckpointStore, _ world: any Communicator
  ) throws -> (Start?, FolderLock?) {
    try world.unanimous { () throws -> (Start?, FolderLock?) in
      guard world.isRoot else { return (nil, nil) }
      if let violation = request.options.violations(at: .start).first {
        throw UsageError(violation.sentence)
      }
      let folder = request.folder
      if request.resume == .none && folder.isUsed {
        throw UsageError(
          "\(folder.path) holds a run already and --resume is none: choose another --run folder, or "
            + "resume with --resume auto")
      }
      var lock: FolderLock?
      if !request.isRehearsal {
        lock = try folder.lock()
        try store.prepare()
      }
      return (try Start(request, store), lock)
    }
  }

  /// Refuses a model or a diagnosis that the data does not allow.
  private static func check(_ request: RunRequest, against dataset: Dataset) throws {
    let options = request.options
    if let violation = options.violations(at: .data, data: dataset.interface).first {
      throw UsageError(violation.sentence)
    }
    if request.diagnosingEvery != nil, options.training.recompute != .none {
      throw UsageError(
        "a diagnosis of gradients needs every step of a window: set training.recompute to none")
    }
    if request.diagnosingEvery != nil, options.training.keptSteps > 0 {
      throw UsageError(
        "a diagnosis of gradients needs windows that do not overlap: remove training.stride")
    }
    if request.stopStep != nil, options.training.readout != nil {
      throw UsageError(
        "--stop-at has no effect on a readout, which is fitted as a whole: remove it")
    }
    if case .steps(let length) = options.training.length, let step = request.stopStep,
      step >= length
    {
      throw UsageError(
        "--stop-at \(step) has no effect on a run of \(length) steps: remove it, or give an earlier step"
      )
    }
  }

  /// Restores a checkpoint, which the root has read, if there is one. Collective.
  private func resume(from checkpoint: Checkpoint?) throws {
    guard try world.share(checkpoint != nil) else { return }
    let check = ResumeCheck(
      options: request.options, dataset: dataset, model: trainer.model, worldSize: world.size,
      log: log)
    try world.unanimous { try checkpoint.map { try check.check($0) } }
    try trainer.restore(checkpoint)
  }

  /// Refuses to train if the disk has no room for the run's checkpoints; warns if there is little.
  /// Collective.
  private func checkSpace() throws {
    // A complete run saves nothing more, unless its last evaluation was interrupted.
    let saves =
      !trainer.coordinator.isComplete || trainer.coordinator.hasOpenEvaluation
      || trainer.coordinator.hasOpenSample
    let space = trainer.checkpointSpace
    let scarcity = try world.unanimous {
      try world.isRoot && saves ? space.check(request.folder.checkpoints, store) : nil
    }
    if let scarcity { log.warning("\(scarcity)") }
  }

  /// Makes `latest` name the checkpoint that the run was told to resume from, before anything of
  /// later steps is removed. Wherever the run is killed, `--resume auto` then resumes from this
  /// checkpoint. A checkpoint of another folder is first saved in this one. Collective; only the
  /// root passes the checkpoint.
  private func goBack(to checkpoint: Checkpoint?) throws {
    guard case .path = request.resume else { return }
    let isOwn = try world.share(checkpoint.map { store.holds($0) } ?? true)
    if !isOwn {
      trainer.coordinator.forgetOtherBest()
      try world.unanimous { try trainer.save(.required) }
    } else {
      try world.unanimous { try checkpoint.map { try store.setLatest($0.state.step) } }
    }
  }

  /// Trains until the run is complete, interrupted or diverged. Collective.
  public func train() throws -> Outcome {
    var outcome = try trainer.run()
    var test: Score?
    let tests = outcome == .complete && dataset.test != nil
    if tests {
      test = try scoreTest()
      if test == nil { outcome = .interrupted }
    }
    if outcome == .complete, trainer.coordinator.hasDiverged { outcome = .worseThanGuessing }
    let isUnsaved = try world.share(reports?.checkpoints.failure != nil)
    if isUnsaved, outcome == .complete || outcome == .interrupted { outcome = .unsaved }
    RankActivity.current.enter(.finishing)
    reports?.conclude(
      outcome, test, inTest: tests, hasReachedLimit: hasReachedLimit, trainer)
    return outcome
  }

  /// Saves a checkpoint of the run in its present state, also before the first step. Collective.
  public func save() throws { try trainer.save(.required) }

  /// Scores the test data with the best checkpoint's weights. Collective.
  /// - Returns: The score; nil if a stop was requested before it was done.
  private func scoreTest() throws -> Score? {
    RankActivity.current.enter(.evaluating, step: trainer.coordinator.state.step)
    guard let part = dataset.test else { return nil }
    let options = request.options
    let scorer = try world.unanimous {
      try Evaluation(part, of: dataset, plan: trainer.model.plan, options, world: world)
    }
    let weights = ParameterVector(trainer.weights.layout)
    weights.precision = trainer.weights.precision
    // Without validation, or if the best checkpoint is lost, the current weights are used.
    let now = try trainer.currentModel()
    try world.unanimous {
      guard world.isRoot else { return }
      weights.update { $0.buffer.copy(from: now.buffer) }
      guard let step = store.best else { return }
      do throws(FileError) {
        try Checkpoint(verifying: store.path(ofStep: step)).bestWeights.load(into: [("", weights)])
      } catch {
        weights.update { $0.buffer.copy(from: now.buffer) }
        reports?.console.warn("\(error); the test uses the last weights, not the best.")
      }
    }
    try world.share(weights)
    return try scorer.run(trainer.model, weights: weights, votes: trainer.votes)
  }

  /// Opens the data, whose sequences end as the model's options say. Collective.
  private static func open(
    _ options: RunOptions, _ vocabularies: Dataset.Vocabularies?, cache: String,
    _ world: any Communicator
  ) throws -> Dataset {
    let dataset = try world.open(
      options.data, vocabularies, folder: options.data.cache ?? cache, seed: options.seed)
    return try world.unanimous {
      try dataset.ending(by: options.model.end, checking: (world.rank, world.size))
    }
  }

  /// Refuses to train if ranks have different configurations, data or models.
  private static func agree(
    _ resolved: [UInt8], _ dataset: Dataset, _ model: any Model, _ world: any Communicator
  ) throws {
    let digests: [(String, [UInt8])] = [
      ("configuration", resolved),
      ("data", Array(String(dataset.hash).utf8)),
      ("model", Array(model.identity.utf8)),
    ]
    for (what, digest) in digests {
      if case .dissent(let rank) = try world.agree(on: digest) {
        try world.unanimous {
          guard world.rank == rank else { return }
          throw UsageError(
            "Rank \(rank) on \(world.hostName) has another \(what) than rank 0: give every machine "
              + "the same files")
        }
      }
    }
  }
}

/// The state from which the root starts the run.
private struct Start {
  var checkpoint: Checkpoint?
  private var weights: SafetensorsFile?
  /// The network of another program, instead of `weights`.
  private var foreign: ForeignFile?
  var vocabularies: Dataset.Vocabularies?
  var warning: String?

  init(_ request: RunRequest, _ store: CheckpointStore) throws {
    switch request.resume {
    case .none: break
    case .path(let path): checkpoint = try Checkpoint(verifying: CheckpointStore.locate(path))
    case .auto:
      let found = try store.resume()
      checkpoint = found?.checkpoint
      warning = found?.warning
    }
    guard let source = request.initFrom else { return }
    if let checkpoint {
      // A run that began with another run's vocabulary keeps it, whatever symbols its own text has.
      vocabularies = try checkpoint.vocabularies()
      return
    }
    if let foreign = try ForeignFile(source) {
      try foreign.check(request.options.model)
      self.foreign = foreign
    } else if FileKind(source) == .file || source.hasSuffix(".safetensors") {
      weights = try SafetensorsFile(source)
    } else {
      let other = try Checkpoint(verifying: CheckpointStore.locate(source))
      weights = try other.bestWeights
      vocabularies = try other.vocabularies()
    }
  }

  /// Returns the weights to start from under the names of the model; nil for the model's own.
  func weights(for model: any Model) throws(FileError) -> SafetensorsFile? {
    try foreign?.weights(vocabulary: model.interface.output.width) ?? weights
  }
}
