public import Optimization

/// What a checkpoint keeps of the decisions so far.
public struct CoordinatorState: Codable, Equatable, Sendable {
  /// Steps taken, those that were skipped too.
  public package(set) var step = 0
  /// The windows of an epoch, of which the steps were.
  var stepsPerEpoch: Int?
  /// Where a run that is measured in epochs was resumed with windows of another length.
  var recount: Recount?
  /// The epoch that the next window belongs to, from 1.
  public package(set) var epoch = 1
  /// Targets seen over all epochs.
  public package(set) var tokens = 0
  /// Steps in a row whose loss or gradient was not finite.
  public package(set) var skipped = 0
  /// The step after which the model was last evaluated.
  public package(set) var evaluatedAt = 0
  /// The epoch of the last step, where a run was stopped in the evaluation after it, which a resumed
  /// run begins with.
  var openEvaluation: Int?
  public package(set) var plateau = Plateau()
  public package(set) var earlyStopping = EarlyStopping()
  /// The last validation loss, in nats per target.
  public package(set) var validationLoss: Double?
  /// The step of the checkpoint whose validation loss is the best; nil if there is none any more.
  public package(set) var bestStep: Int?
  /// The loss of guessing in the last evaluation, in nats per target.
  public package(set) var guess: Double?
  /// The loss of the first window, which nothing was learnt before.
  var untrained: Double?
  /// The loss of the last windows, for runs without validation.
  var recent: RecentLoss?

  /// Steps as they are counted after a change of windows.
  struct Recount: Codable, Equatable, Sendable {
    /// The steps so far, in windows of the new length.
    var runStep: Int
    /// The step of the schedule, and by how many steps the schedule is longer than the run: so that
    /// what is left of one takes as long as what is left of the other.
    var scheduleStep: Int
    var surplus: Int
  }

  package init() {}
}

/// The loss of the last windows, the older ones weighing less.
struct RecentLoss: Codable, Equatable, Sendable {
  var nats = 0.0
  var targets = 0.0

  /// Their mean, in nats per target.
  var mean: Double { nats / max(targets, 1) }

  /// With one window more; 50 windows back counts a third.
  func adding(_ nats: Double, _ targets: Double) -> RecentLoss {
    RecentLoss(nats: 0.98 * self.nats + nats, targets: 0.98 * self.targets + targets)
  }
}
