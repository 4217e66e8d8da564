public import Inference
public import Recurrence

/// A place for the results of a run, such as the console or a file. The sinks of the root are called in the
/// order they were given; other ranks have none.
public protocol MetricsSink: AnyObject {
  /// Records the results of a step.
  func record(step report: StepReport, _ coordinator: Coordinator)
  /// Records an evaluation of the validation data.
  func record(evaluation score: Score, isBest: Bool, _ coordinator: Coordinator)
  /// Records the weights that an evaluation has scored.
  func record(weights: ParameterVector, _ coordinator: Coordinator)
  /// Records numbers of the gradient of a step before its update, at steps that an evaluation follows.
  /// - Parameters:
  ///   - gradient: A sample of the numbers of the gradient.
  ///   - scale: The factor of the update on the gradient, which is a sum.
  ///   - coordinator: The progress of the run: its step, its epoch and the like.
  func record(gradient: ParameterSample, scale: Double, _ coordinator: Coordinator)
  /// Records the texts that the model has written with these weights.
  func record(samples: [Sample], _ coordinator: Coordinator)
  /// Records a checkpoint that was saved, or that could not be. With asynchronous checkpoints this is some
  /// steps after that of the checkpoint.
  func record(checkpoint report: CheckpointReport, _ coordinator: Coordinator)
  /// Records that the weights were taken from the checkpoint of a step.
  func record(rollbackTo step: Int, _ coordinator: Coordinator)
  /// Records the score of the test data, at the end of the run.
  func record(test score: Score, _ coordinator: Coordinator)
}

extension MetricsSink {
  public func record(step report: StepReport, _ coordinator: Coordinator) {}
  public func record(evaluation score: Score, isBest: Bool, _ coordinator: Coordinator) {}
  public func record(weights: ParameterVector, _ coordinator: Coordinator) {}
  public func record(gradient: ParameterSample, scale: Double, _ coordinator: Coordinator) {}
  public func record(samples: [Sample], _ coordinator: Coordinator) {}
  public func record(checkpoint report: CheckpointReport, _ coordinator: Coordinator) {}
  public func record(rollbackTo step: Int, _ coordinator: Coordinator) {}
  public func record(test score: Score, _ coordinator: Coordinator) {}
}
