internal import Checkpointing
internal import Configuration
internal import Datasets
internal import Formats
internal import Inference
internal import Logging
internal import Recurrence
internal import Reporting
internal import Training

/// The reports of the root of a run: console, metrics file and log; and its checkpoints.
struct Reports {
  let console: Console
  let checkpoints: RunCheckpoints
  private let metrics: MetricsFileSink
  /// nil if the run writes no event files.
  private let tensorBoard: TensorBoardSink?
  private let log: RunLog
  private let store: CheckpointStore
  private let further: [any MetricsSink]

  /// The places for results, in the order in which they get them. A new one is a line here.
  var sinks: [any MetricsSink] {
    [
      metrics,
      console,
    ] + [tensorBoard].compactMap(\.self) + further
  }

  /// - Parameter hosts: The host of each rank.
  init(
    _ request: RunRequest, _ store: CheckpointStore, _ dataset: Dataset, hosts: [String],
    log: Logger, further: [any MetricsSink]
  ) {
    let worldSize = hosts.count
    let (options, folder) = (request.options, request.folder)
    self.store = store
    self.further = further
    let console = Console(request.progress, options, dataset, hosts: hosts, log: log)
    self.console = console
    let hasAccuracy = if case .symbols = dataset.interface.output { true } else { false }
    metrics = MetricsFileSink(
      folder.metrics, hasAccuracy: hasAccuracy, hosts: hosts, warn: console.warn)
    tensorBoard =
      options.report.tensorboard
      ? TensorBoardSink(
        folder.eventFiles, hasAccuracy: hasAccuracy, configuration: request.given, options,
        warn: console.warn) : nil
    checkpoints = RunCheckpoints(
      options, in: store, dataset, worldSize: worldSize, warn: console.warn)
    self.log = RunLog(
      options, in: folder, dataset, worldSize: worldSize, console: console, log: log)
  }

  /// Opens the metrics of a run that stands at `state`, and makes `best` name the best checkpoint
  /// up to that step. A run that went back to an earlier step must not keep the best checkpoint of
  /// later steps.
  func open(at state: CoordinatorState) throws {
    try metrics.open(at: state)
    tensorBoard?.open(at: state)
    try store.setBest(state.bestStep)
  }

  /// Reports what will be trained.
  func begin(_ trainer: Trainer, _ warning: String?) {
    log.announce(trainer, warning)
    checkpoints.begin()
    console.begin(trainer.coordinator)
  }

  /// Reports how the run ended.
  /// - Parameters:
  ///   - inTest: True if every step was taken and the test data was to be scored.
  ///   - hasReachedLimit: True if the run was stopped because its time limit was near.
  func conclude(
    _ outcome: Outcome, _ test: Score?, inTest: Bool, hasReachedLimit: Bool, _ trainer: Trainer
  ) {
    console.end()
    if outcome == .interrupted { checkpoints.noteSave(of: trainer.coordinator.state) }
    log.conclude(
      outcome, inTest: inTest, hasReachedLimit: hasReachedLimit,
      failure: checkpoints.failure.map { (error: $0, latest: store.latest) }, trainer)
    metrics.conclude()
    if let test { for sink in sinks { sink.record(test: test, trainer.coordinator) } }
    tensorBoard?.close(at: trainer.coordinator.state, outcome)
  }
}
