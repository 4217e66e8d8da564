public import Optimization

/// The decisions so far, as a checkpoint stores them.
public struct CoordinatorState: Codable, Equatable, Sendable {
  /// The number of steps so far, including skipped ones.
  public package(set) var step = 0
  /// The number of windows per epoch in these steps.
  package var stepsPerEpoch: Int?
  /// The counts after a run measured in epochs was resumed with windows of another length.
  package var recount: Recount?
  /// The place inside a window that is read in several updates, as a growing batch is; nil between windows.
  package var window: Window?
  /// The epoch of the next window, from 1.
  public package(set) var epoch = 1
  /// The number of targets over all epochs.
  public package(set) var tokens = 0
  /// The number of consecutive steps that were skipped.
  public package(set) var skipped = 0
  /// The number of rollbacks so far; nil for none.
  package var rollbacks: Int?
  /// The step whose checkpoint a rollback goes back to: the last that was saved when one was due, not because
  /// the run was stopped, so that a resumed run goes back to the same; nil without rollbacks.
  package var rollbackStep: Int?
  /// The losses of the last steps with an update, in nats per target, the oldest first, for
  /// `training.on_spike`; nil without.
  package var losses: [Double]?
  /// The step after which the model was last evaluated.
  public package(set) var evaluatedAt = 0
  /// The epoch of the last step, if the run was stopped in the evaluation after it; a resumed run
  /// starts with this evaluation.
  package var openEvaluation: Int?
  /// The epoch of the last step, if the run was stopped while samples were written after it; a resumed run
  /// writes them first.
  package var openSample: Int?
  public package(set) var plateau = Plateau()
  public package(set) var earlyStopping = EarlyStopping()
  /// The progress of validation towards the start of an average with a trigger; nil for another average.
  package var averageTrigger: AverageTrigger?
  /// The last validation loss, in nats per target.
  public package(set) var validationLoss: Double?
  /// The step of the checkpoint with the best validation loss; nil if it no longer exists.
  public package(set) var bestStep: Int?
  /// The loss of guessing in the last evaluation, in nats per target.
  public package(set) var guess: Double?
  /// The bytes of text that a target of the validation data stands for; nil if targets are not text.
  public package(set) var bytesPerTarget: Double?
  /// The loss of the first window, before any learning.
  package var untrained: Double?
  /// The loss of the last windows, for runs without validation.
  package var recent: RecentLoss?

  /// The counts of steps after a change of the window length.
  package struct Recount: Codable, Equatable, Sendable {
    /// The number of steps so far, in windows of the new length.
    package var runStep: Int
    /// The step of the schedule, and the number of steps by which the schedule is longer than the
    /// run, so that the rest of the schedule takes as long as the rest of the run.
    package var scheduleStep: Int
    package var surplus: Int

    package init(runStep: Int, scheduleStep: Int, surplus: Int) {
      self.runStep = runStep
      self.scheduleStep = scheduleStep
      self.surplus = surplus
    }
  }

  /// A place inside a window that is read in several updates.
  package struct Window: Codable, Equatable, Sendable {
    /// The number of updates so far, and of all.
    package var done, updates: Int

    package init(done: Int, updates: Int) {
      (self.done, self.updates) = (done, updates)
    }
  }

  package init() {}
}

/// An average of the losses of the last windows, in which older ones weigh less.
package struct RecentLoss: Codable, Equatable, Sendable {
  package var nats = 0.0
  package var targets = 0.0

  package init(nats: Double = 0, targets: Double = 0) {
    self.nats = nats
    self.targets = targets
  }

  /// The average, in nats per target.
  package var mean: Double { nats / max(targets, 1) }

  /// Returns the average with one more window; a window 50 steps back has a weight of one third.
  package func adding(_ nats: Double, _ targets: Double) -> RecentLoss {
    RecentLoss(nats: 0.98 * self.nats + nats, targets: 0.98 * self.targets + targets)
  }
}
