package import Checkpointing
package import Configuration
package import Datasets
internal import Formats
internal import Foundation
package import Inference
internal import LinearAlgebra
package import Logging
internal import Recurrence
package import Training

package
  /// The root's observer: displays the run on the console, writes its metrics and saves its
  /// checkpoints.
  final class Recorder: Observer
{
  private let options: RunOptions
  private let folder: RunFolder
  private let store: CheckpointStore
  private let dataset: Dataset
  private let worldSize: Int
  private let log: Logger
  private let console: Console
  private var metrics: MetricsFile?
  private var lastCheckpoint = ContinuousClock.now
  private lazy var symbols = SavedSymbols(of: dataset)
  /// The identity of the model; set once the model is made.
  package var modelIdentity = ""

  package init(
    _ options: RunOptions, in folder: RunFolder, _ store: CheckpointStore, _ dataset: Dataset,
    _ worldSize: Int, progress: ConsoleOptions.Progress, log: Logger
  ) {
    self.options = options
    self.folder = folder
    self.store = store
    self.dataset = dataset
    self.worldSize = worldSize
    self.log = log
    console = Console(
      progress, every: options.console.every,
      unit: ScoreUnit(dataset, hasEnds: options.model.end != .symbol),
      targets: dataset.interface.targetWord)
  }

  /// Prints a warning without disturbing the progress line.
  package func warn(_ sentence: String) {
    console.clear()
    log.warning("\(sentence)")
  }

  /// Refuses a checkpoint of another run, and reports other changes since.
  package func check(_ checkpoint: Checkpoint) throws {
    let state = checkpoint.state
    func refuse(_ what: String, _ advice: String) -> FileError {
      FileError(
        .damaged, checkpoint.path, "\(checkpoint.path) was made with another \(what): \(advice)")
    }
    if state.hashes.vocabulary != hexadecimal(dataset.vocabulary.hash) {
      throw refuse("vocabulary", "resume with the data it was made with, or start a new run")
    }
    if state.hashes.data != hexadecimal(dataset.hash) {
      throw refuse(
        "text", "resume with the data it was made with, or start a new run with --init-from")
    }
    if state.hashes.model != modelIdentity {
      let keys = try changedKeys(since: checkpoint).filter { $0.hasPrefix("model.") }
      let named = keys.isEmpty ? "" : " (changed: \(keys.joined(separator: ", ")))"
      throw refuse("model\(named)", "resume with its own configuration, or start a new run")
    }
    if state.batchSize != options.training.batchSize {
      throw refuse(
        "batch_size (\(state.batchSize))",
        "resume with that batch_size, or start a new run with --init-from")
    }
    if let key = try changedCut(since: checkpoint) {
      throw refuse(
        "\(key), in the middle of an epoch, which would continue at another position",
        "resume with its own, or from a checkpoint at the end of an epoch")
    }
    if state.seed != options.seed {
      throw refuse("seed (\(state.seed))", "resume with that seed, or start a new run")
    }
    let changed = try changedKeys(since: checkpoint)
    if !changed.isEmpty {
      log.info("Changed since the checkpoint: \(changed.joined(separator: ", ")).")
    }
    if state.worldSize != worldSize {
      log.info(
        """
        Resuming on \(worldSize) \(worldSize == 1 ? "rank" : "ranks") a run of \
        \(state.worldSize): the loss continues up to rounding.
        """)
    }
  }

  /// Returns the keys of the configuration that have changed, such as `model.layers.0.hidden`.
  private func changedKeys(since checkpoint: Checkpoint) throws -> [String] {
    try checkpoint.state.configuration.differences(from: JSONValue(encoding: options))
  }

  /// Returns the first changed key that decides how sequences are cut into windows, if the run is
  /// inside an epoch. There the position in the data is a number of windows; in a text it is not.
  private func changedCut(since checkpoint: Checkpoint) throws -> String? {
    let place = checkpoint.content.progress.cursor
    guard !dataset.interface.isRunning, place.position > 0 else { return nil }
    let (before, now) = (try checkpoint.options().training, options.training)
    if before.givenBptt != now.givenBptt { return "training.bptt" }
    if before.batchTokens != now.batchTokens { return "training.batch_tokens" }
    return before.isBucketed == now.isBucketed ? nil : "training.bucket"
  }

  /// Opens the metrics of a run that stands at `state`, and makes `best` name the best checkpoint
  /// up to that step. A run that went back to an earlier step must not keep the best checkpoint of
  /// later steps.
  package func open(at state: CoordinatorState) throws {
    metrics = try MetricsFile(folder.metrics, keepingThrough: state.step)
    try store.setBest(state.bestStep)
  }

  /// Reports what will be trained.
  package func announce(_ trainer: Trainer, _ warning: String?) {
    if let warning { log.warning("\(warning)") }
    let coordinator = trainer.coordinator
    let streams = trainer.loader as? Streams
    let ranks = "\(worldSize) \(worldSize == 1 ? "rank" : "ranks")"
    let data =
      streams.map {
        "\(dataset.train.count) for training, \($0.batchSize) streams on \(ranks), "
          + "\(coordinator.totalSteps) steps of \($0.bptt)"
      }
      ?? "\(dataset.train.count) \(dataset.interface.isTree ? "trees" : "sequences") for training "
      + "on \(ranks), \(coordinator.totalSteps) steps"
    log.info(
      """
      \(options.name): \(trainer.weights.layout.learnt) parameters, \
      \(dataset.interface.inputWords), \(data), \(coordinator.stepsPerEpoch) an epoch, \
      in \(folder.path)
      """)
    if let streams, streams.droppedCount > 0 {
      let count = streams.droppedCount
      log.info(
        count == 1
          ? "1 symbol at the end of the training text fills no stream."
          : "\(count) symbols at the end of the training text fill no stream.")
    }
    for (part, name) in [(dataset.valid, "data.valid"), (dataset.test, "data.test")] {
      guard let part else { continue }
      if let warning = UnknownSymbols(part, of: dataset).warning(of: "\(name) (\(part.name))") {
        log.warning("\(warning)")
      }
    }
    if dataset.vocabulary.tokenizer is any CountedTokenizer,
      dataset.vocabulary.id(of: "\r".utf8) != nil
    {
      log.warning(
        """
        the text has carriage returns, which the model learns as symbols of their own: if its lines end \
        in CRLF, convert it with sed -i 's/\\r$//' FILE, or set data.tokenizer: word, which reads \
        both alike
        """)
    }
    if coordinator.state.step > 0 {
      log.info(
        coordinator.isComplete
          ? "The run was complete at step \(coordinator.state.step)."
          : "Resuming after step \(coordinator.state.step), in epoch \(coordinator.state.epoch).")
    }
    lastCheckpoint = .now
    console.begin(coordinator)
  }

  package func observe(_ report: StepReport, _ coordinator: Coordinator) {
    write { try $0.append(step: report) }
    if let gradients = report.gradients { append(gradients) }
    console.show(report, coordinator)
    if report.verdict == .skip {
      warn(
        """
        Step \(report.step) was skipped: its loss is \(report.score.loss) and the norm of its \
        gradient \(report.gradientNorm); lower the learning rate or clip if this continues.
        """)
    }
  }

  package func observe(_ score: Score, isBest: Bool, _ coordinator: Coordinator) {
    let state = coordinator.state
    append(
      EvaluationLine(
        step: state.step, epoch: coordinator.lastEpoch, tokens: state.tokens, validLoss: score.loss,
        validPerplexity: score.perplexity, validBits: score.bits,
        validAccuracy: accuracy(score), validRootAccuracy: score.rootAccuracy, best: isBest))
    console.show(score, isBest: isBest, coordinator)
  }

  /// Returns the fraction of correctly predicted symbols; nil for numbers.
  private func accuracy(_ score: Score) -> Double? {
    if case .symbols = dataset.interface.output { score.accuracy } else { nil }
  }

  private func append(_ line: some Encodable) { write { try $0.append(line) } }

  private func write(_ line: (MetricsFile) throws -> Void) {
    guard let metrics else { return }
    do {
      try line(metrics)
    } catch {
      // A run is not ended because its metrics cannot be written.
      warn("\(error); the run continues without its metrics.")
      self.metrics = nil
    }
  }

  package func wantsCheckpoint(_ coordinator: Coordinator) -> Bool {
    guard case .seconds(let seconds) = options.checkpoint.every else { return false }
    return ContinuousClock.now - lastCheckpoint >= .seconds(seconds)
  }

  package func save(_ snapshot: Snapshot?, isBest: Bool) throws {
    guard let snapshot else { return }
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
        model: modelIdentity, data: symbols.data, vocabulary: symbols.vocabulary),
      interface: dataset.interface,
      software: "unroll \(Version.number)")
    let files =
      snapshot.files + symbols.files.map { CheckpointFile($0.name, bytes: $0.bytes) }
    let saved = try store.save(state, files: files, isBest: isBest)
    for warning in saved.warnings { warn(warning) }
    lastCheckpoint = .now
    StopRequest.noteSave()
    console.saved(saved.path)
  }

  /// Reports how the run ended.
  /// - Parameter inTest: True if every step was taken and the test data was to be scored.
  package func conclude(_ outcome: Outcome, _ test: Score?, inTest: Bool, _ trainer: Trainer) {
    console.end()
    let state = trainer.coordinator.state
    switch outcome {
    case .complete:
      let reason =
        trainer.coordinator.hasGivenUp ? "validation no longer improves" : "every step is taken"
      log.info("Complete after \(state.step) steps, \(state.tokens) targets: \(reason).")
      if let guess = state.guess, trainer.coordinator.isWorseThanGuessing {
        warn(
          """
          The validation loss of \(fixed(state.validationLoss ?? .nan, 4)) is above the \
          \(fixed(guess, 4)) of guessing: train longer, or with another learning rate.
          """)
      }
    case .interrupted:
      // Also if it was saved just before the request.
      if store.latest == state.step { StopRequest.noteSave() }
      log.info(
        inTest
          ? "Stopped in the test after the last step as asked; the same command begins it again."
          : "Stopped after step \(state.step) as asked; the same command resumes it.")
    case .diverged(let step):
      log.error(
        """
        The loss or the gradient was not finite at step \(step): lower the learning rate, clip the \
        gradient, or resume from an earlier checkpoint.
        """)
    case .worseThanGuessing:
      log.error("\(trainer.coordinator.divergenceSentence)")
    }
    if let best = state.earlyStopping.best, best <= state.guess ?? .infinity {
      log.info("Best validation: \(console.words(Score(lossSum: best, targets: 1))).")
    }
    if let test {
      log.info("Test: \(console.words(test)).")
      append(
        TestLine(
          step: state.step, testLoss: test.loss, testPerplexity: test.perplexity,
          testAccuracy: accuracy(test), testRootAccuracy: test.rootAccuracy))
    }
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

/// The line of the test at the end of a run.
private struct TestLine: Encodable {
  let step: Int
  let testLoss: Double
  let testPerplexity: Double
  let testAccuracy: Double?
  /// For trees.
  let testRootAccuracy: Double?

  enum CodingKeys: String, CodingKey {
    case step
    case testLoss = "test_loss"
    case testPerplexity = "test_perplexity"
    case testAccuracy = "test_accuracy"
    case testRootAccuracy = "test_root_accuracy"
  }
}
