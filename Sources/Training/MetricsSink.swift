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
  /// Records a saved checkpoint.
  func record(checkpoint path: String)
  /// Records the score of the test data, at the end of the run.
  func record(test score: Score, _ coordinator: Coordinator)
}

extension MetricsSink {
  public func record(step report: StepReport, _ coordinator: Coordinator) {}
  public func record(evaluation score: Score, isBest: Bool, _ coordinator: Coordinator) {}
  public func record(weights: ParameterVector, _ coordinator: Coordinator) {}
  public func record(checkpoint path: String) {}
  public func record(test score: Score, _ coordinator: Coordinator) {}
}
