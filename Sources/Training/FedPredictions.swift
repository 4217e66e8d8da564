internal import Configuration
internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

/// The scheduled sampling of a run: predictions that are fed in place of targets.
struct FedPredictions {
  private let schedule: TargetSchedule
  private let sampling: ScheduledSampling

  /// Makes the sampler; nil if the run feeds targets only.
  /// - Throws: `UsageError` if no step would read a prediction.
  init?(
    _ options: RunOptions, _ dataset: Dataset, of model: any Model, in batch: Batch, on tape: Tape
  ) throws(UsageError) {
    guard let given = options.training.scheduledSampling else { return nil }
    let interface = dataset.interface
    func refuse(_ key: String, _ reason: String) -> UsageError {
      UsageError("training.scheduled_sampling\(key) would do nothing, because \(reason)")
    }
    if case .numbers = interface.output, given.choice != nil {
      throw refuse(".choice", "numbers are fed as predicted; remove it")
    }
    let readsBackwards = options.model.layers.contains { $0.bidirectional != nil }
    // For most data the signature tells whether targets are the next inputs; other data must be
    // examined.
    let readsTargets =
      !readsBackwards
      && (interface.isRunning || interface.ends != nil
        || Self.predictsItsInputs(interface) && dataset.train.readsItsTargets)
    guard let model = model as? SequenceModel, readsTargets || model.plan.feedsTargets else {
      throw refuse(
        "",
        "no step of this model reads the target of the step before; give a layer feedback: "
          + "target, or remove it")
    }
    schedule = given.schedule
    sampling = ScheduledSampling(
      given.choice ?? .sample, of: model, readsTargets: readsTargets, in: batch, on: tape,
      seed: options.seed)
  }

  /// True if targets may be the next inputs: symbols of the same kind, or numbers, at every step. A
  /// sequence with a single step would fit anything.
  private static func predictsItsInputs(_ interface: TaskSignature) -> Bool {
    guard !interface.asksOnce else { return false }
    return switch (interface.input, interface.output) {
    case (.symbols(let read), .symbols(let asked)): read == asked
    case (.frames(let read), .numbers(let asked)), (.frames(let read), .labels(let asked)):
      read == asked
    default: false
    }
  }

  /// Decides the inputs of a window at a step of the run.
  func feed(
    _ batch: Batch, step: Int, weights: ParameterVector, gradient: ParameterVector
  ) {
    sampling.feed(
      batch, targetsWith: schedule.probability(step: step), weights: weights, gradient: gradient)
  }
}
