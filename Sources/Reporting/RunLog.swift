package import Checkpointing
package import Configuration
package import Datasets
package import Formats
internal import Inference
package import Logging
internal import Recurrence
package import Training

/// The log lines at the beginning and at the end of a run.
package struct RunLog {
  private let options: RunOptions
  private let folder: RunFolder
  private let dataset: Dataset
  private let worldSize: Int
  private let console: Console
  private let log: Logger

  package init(
    _ options: RunOptions, in folder: RunFolder, _ dataset: Dataset, worldSize: Int,
    console: Console, log: Logger
  ) {
    self.options = options
    self.folder = folder
    self.dataset = dataset
    self.worldSize = worldSize
    self.console = console
    self.log = log
  }

  /// Says how little of a large text a run reads, since each stream reads one place from end to end.
  private func announceShare(_ streams: Streams, _ coordinator: Coordinator) {
    let share = Double(coordinator.totalSteps) / Double(max(coordinator.stepsPerEpoch, 1))
    guard share < 0.5, dataset.train.count > 1_000_000 else { return }
    log.info(
      """
      The run reads \(fixed(100 * share, 1)) % of the training data, from \(streams.batchSize) places; \
      with data.train: [{path: …, weight: 1}] it reads blocks from everywhere in random order.
      """)
  }

  /// Reports what will be trained.
  package func announce(_ trainer: Trainer, _ warning: String?) {
    if let warning { log.warning("\(warning)") }
    let coordinator = trainer.coordinator
    let streams = trainer.loader as? Streams
    let mixed = trainer.loader as? MixtureStreams
    let ranks = "\(worldSize) \(worldSize == 1 ? "rank" : "ranks")"
    let data =
      streams.map {
        "\(dataset.train.count) for training, \($0.batchSize) streams on \(ranks), "
          + "\(coordinator.totalSteps) steps of "
          + (options.training.randomWindows == nil
            ? "" : "about \(options.training.bptt), at most ")
          + "\($0.bptt)"
      }
      ?? mixed.map {
        "\(dataset.train.count) for training in \($0.mixture.corpora.count) corpora, "
          + "\($0.batchSize) streams on \(ranks), \(coordinator.totalSteps) steps of \($0.bptt)"
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
    if let streams { announceShare(streams, coordinator) }
    if let mixed { announce(mixed.mixture, trainer) }
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
  }

  /// Reports how often the run reads each corpus of a mixture.
  private func announce(_ mixture: Mixture, _ trainer: Trainer) {
    let steps = Double(min(trainer.coordinator.totalSteps, 1 << 53))
    let targets =
      steps * Double(options.training.batchSize)
      * Double(options.training.givenStride ?? options.training.bptt)
    for (corpus, share) in zip(mixture.corpora, mixture.shares) {
      let passes = share * targets / Double(corpus.count)
      log.info(
        """
        \(fixed(100 * share, 1)) % of \(corpus.name): \(corpus.count) symbols, each read about \
        \(fixed(passes, 2)) times.
        """)
    }
  }

  /// Reports how the run ended.
  /// - Parameters:
  ///   - inTest: True if every step was taken and the test data was to be scored.
  ///   - hasReachedLimit: True if the run was stopped because its time limit was near.
  ///   - failure: The reason for which the last checkpoint could not be written, and the step of the newest
  ///     one before it; nil if it was.
  package func conclude(
    _ outcome: Outcome, inTest: Bool, hasReachedLimit: Bool = false,
    failure: (error: FileError, latest: Int?)? = nil, _ trainer: Trainer
  ) {
    let state = trainer.coordinator.state
    switch outcome {
    case .complete:
      let reason =
        trainer.coordinator.hasGivenUp ? "validation no longer improves" : "every step is taken"
      log.info("Complete after \(state.step) steps, \(state.tokens) targets: \(reason).")
      if let guess = state.guess, trainer.coordinator.isWorseThanGuessing {
        console.warn(
          """
          The validation loss of \(fixed(state.validationLoss ?? .nan, 4)) is above the \
          \(fixed(guess, 4)) of guessing: train longer, or with another learning rate.
          """)
      }
    case .interrupted:
      let reason = hasReachedLimit ? "because its time ends" : "as asked"
      log.info(
        inTest
          ? "Stopped in the test after the last step \(reason); the same command begins it again."
          : trainer.coordinator.hasReachedStopStep
            ? "Stopped after step \(state.step) as asked; without --stop-at, the same command goes on."
            : "Stopped after step \(state.step) \(reason); the same command resumes it.")
    case .unsaved:
      let next =
        failure?.latest.map {
          "the newest checkpoint is of step \($0), from which the same command resumes"
        }
        ?? "there is no other, and the same command begins anew"
      log.error(
        """
        The run ends after step \(state.step), and its last checkpoint could not be written \
        (\(failure.map { "\($0.error)" } ?? "")): \(next).
        """)
    case .spiked(let step):
      log.error(
        """
        The loss of step \(step) is a spike (training.on_spike): lower the learning rate, clip the \
        gradient, or resume from an earlier checkpoint.
        """)
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
      var score = Score(lossSum: best, targets: 1)
      score.bytesPerTarget = state.bytesPerTarget
      log.info("Best validation: \(console.words(score)).")
    }
  }
}
