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
  /// - Throws: `UsageError` if the examples show that no step would read a prediction.
  init?(
    _ options: RunOptions, _ dataset: Dataset, of model: any Model, in batch: Batch, on tape: Tape
  ) throws(UsageError) {
    guard let given = options.training.scheduledSampling else { return nil }
    let readsTargets = options.readsTargets(of: dataset.interface) ?? dataset.train.readsItsTargets
    guard let model = model as? SequenceModel, readsTargets || model.plan.feedsTargets else {
      throw UsageError(ScheduledSamplingOptions.uselessness)
    }
    schedule = given.schedule
    sampling = ScheduledSampling(
      given.choice ?? .sample, of: model, readsTargets: readsTargets, in: batch, on: tape,
      seed: options.seed)
  }

  /// Decides the inputs of a window at a step of the run.
  func feed(
    _ batch: Batch, step: Int, weights: ParameterVector, gradient: ParameterVector
  ) {
    sampling.feed(
      batch, targetsWith: schedule.probability(step: step), weights: weights, gradient: gradient)
  }
}
