public import Checkpointing
package import Configuration
internal import Optimization

/// Decides the learning rate, whether a step counts, and when to evaluate, to save and to stop.
///
/// Every rank has a coordinator. All of them get the same reduced numbers, so every rank decides
/// alike without communication; only the root writes files and messages.
public struct Coordinator: Sendable {
  public internal(set) var state = CoordinatorState()
  let training: TrainingOptions
  let evaluation: EvaluationOptions?
  package let checkpoint: CheckpointOptions
  /// The times of samples; nil for none.
  private let sampleEvery: Interval?
  private let communicationCheckEvery: Int?
  private var schedule: Schedule
  /// The length of the run if all of its windows had the current length.
  private let scheduledSteps: Int
  /// The number of windows per epoch.
  public let stepsPerEpoch: Int
  /// The steps of every stream in an epoch of a running text; nil for other data.
  private let windowLength: Int?

  /// The loss of guessing, if it does not depend on the data; otherwise nil.
  let guess: Double?

  /// The step after which the run stops, to be resumed; nil for none.
  package var stopStep: Int?
  private var stopAsked = false
  private var clockAsked = false
  private var improved = false
  private var epochEnded = false
  private var rolledBack = false
  /// The epoch of the last step.
  package private(set) var lastEpoch = 1

  /// - Parameters:
  ///   - evaluation: The options of evaluation; nil without validation data.
  ///   - windowLength: The steps of an epoch of a running text; nil for other data.
  ///   - guess: The loss of guessing, in nats per target; nil if unknown.
  /// - Throws: `ScheduleError` if the schedule needs the length of the run and it is unknown.
  init(
    _ options: RunOptions, evaluation: EvaluationOptions?, stepsPerEpoch: Int,
    windowLength: Int? = nil, guess: Double? = nil
  ) throws(ScheduleError) {
    self.guess = options.training.readout == nil ? guess : nil
    training = options.training
    checkpoint = options.checkpoint
    communicationCheckEvery = options.communication.checkEvery
    self.evaluation = evaluation
    sampleEvery = options.evaluation.sample.map { $0.every ?? options.evaluation.every }
    self.stepsPerEpoch = stepsPerEpoch
    self.windowLength = windowLength
    scheduledSteps = training.plannedSteps(
      windows: stepsPerEpoch, length: windowLength, seed: options.seed)
    schedule = try Schedule(options.training.schedule, totalSteps: scheduledSteps)
    state.stepsPerEpoch = stepsPerEpoch
  }

  /// Restores the decisions of a checkpoint. A run measured in epochs or tokens keeps the fraction of
  /// its schedule that is done, even if epochs now have another number of windows.
  mutating func restore(_ state: CoordinatorState) {
    self.state = state
    lastEpoch = state.openEvaluation ?? state.openSample ?? lastEpoch
    self.state.stepsPerEpoch = stepsPerEpoch
    guard let epochs = training.epochs(length: windowLength) else {
      self.state.recount = nil
      return
    }
    if let before = state.stepsPerEpoch, before != stepsPerEpoch, before > 0 {
      self.state.recount = recount(from: before, epochs: epochs)
    }
    if let recount = self.state.recount {
      let (steps, overflows) = scheduledSteps.addingReportingOverflow(recount.surplus)
      schedule = schedule.lasting(overflows ? .max : max(steps, 1))
    }
  }

  /// - Parameter before: The number of windows per epoch until now.
  private func recount(from before: Int, epochs: Double) -> CoordinatorState.Recount {
    let steps = Double(self.runStep) / Double(before) * Double(stepsPerEpoch)
    let runStep = Int(min(steps, Double(largestTotal)).rounded())
    let warmup = schedule.options.warmup
    guard schedule.followsRun, scheduleStep > warmup else {
      return CoordinatorState.Recount(
        runStep: runStep, scheduleStep: scheduleStep, surplus: scheduleStep - runStep)
    }
    // The fraction of the shape that is done. The rest of the shape takes the rest of the run.
    let length = epochs * Double(before) + Double(state.recount?.surplus ?? 0)
    let done = Double(scheduleStep - warmup) / max(length - Double(warmup), 1)
    let left = Double(max(scheduledSteps - runStep, 1))
    let rest = min(left / max(1 - done, 1e-6), 0x1p52).rounded()
    return CoordinatorState.Recount(
      runStep: runStep, scheduleStep: warmup + Int(max(rest - left, 0)),
      surplus: warmup + Int(rest) - scheduledSteps)
  }

  private var runStep: Int { state.recount?.runStep ?? state.step }
  private var scheduleStep: Int { state.recount?.scheduleStep ?? state.step }

  /// The last step of the run.
  public var totalSteps: Int {
    let (steps, overflows) = scheduledSteps.addingReportingOverflow(state.step - runStep)
    return overflows ? .max : steps
  }

  /// The learning rate of the next step.
  public var rate: Double {
    schedule.rate(
      step: scheduleStep, epoch: state.epoch,
      plateauFactor: schedule.options.plateau == nil ? 1 : state.plateau.factor)
  }

  /// Returns the factor on the summed gradient: one over the number of targets, or over the number
  /// of streams or sequences in this batch over all ranks, which may differ from `batch_size`.
  func gradientScale(of sums: StepSums) -> Double {
    switch training.lossReduction {
    case .mean: 1 / Double(max(sums.targets, 1))
    case .sumOverTime: 1 / Double(max(sums.sequences, 1))
    }
  }

  /// True if an average with a trigger has begun.
  var isAverageTriggered: Bool { state.averageTrigger?.isTriggered ?? false }

  /// The decision about a step once its sums are known.
  package enum Verdict: Equatable {
    /// The weights are updated.
    case update
    /// No update, because there was no target.
    case nothingToLearn
    /// No update, because the step is bad; the streams' states are restored.
    case skip
    /// The weights of the last checkpoint that was due, because the step is bad; the streams begin anew.
    case rollBack
    /// The end of the run, because the step is bad.
    case diverged
  }

  /// Returns the standard deviations by which the loss of a step is above the mean of those before, if they
  /// make it a spike; otherwise nil.
  func spike(in sums: StepSums) -> Double? {
    guard let options = training.onSpike, sums.targets > 0, sums.loss.isFinite else { return nil }
    let loss = sums.loss / Double(sums.targets)
    let deviations = options.deviations(of: loss, from: state.losses ?? [])
    return deviations.flatMap { $0 > options.z ? $0 : nil }
  }

  /// Judges a step by its summed loss and the norm of its gradient.
  /// - Parameter spike: The height of the spike that the loss is; nil if it is none.
  func judge(_ sums: StepSums, norm: Double, spike: Double? = nil) -> Verdict {
    if sums.targets == 0 { return .nothingToLearn }
    if sums.loss.isFinite && norm.isFinite {
      guard spike != nil, let options = training.onSpike else { return .update }
      switch options.policy {
      case .warn: return .update
      case .skip: return skip(atMost: options.limit)
      case .rollback: return rollBack(atMost: options.limit)
      case .stop: return .diverged
      }
    }
    switch training.onNonfinite.policy {
    case .stop: return .diverged
    case .skip: return skip(atMost: training.onNonfinite.limit)
    case .rollback: return rollBack(atMost: training.onNonfinite.limit)
    }
  }

  private func skip(atMost limit: Int) -> Verdict { state.skipped + 1 > limit ? .diverged : .skip }

  private func rollBack(atMost limit: Int) -> Verdict {
    (state.rollbacks ?? 0) + 1 > limit ? .diverged : .rollBack
  }

  /// Records a completed step.
  /// - Parameter place: The place inside a window that is read in several updates; nil between windows.
  mutating func finish(
    _ sums: StepSums, _ verdict: Verdict, epochEnds: Bool, place: CoordinatorState.Window? = nil
  ) {
    state.window = place
    state.step += 1
    state.recount?.runStep += 1
    state.recount?.scheduleStep += 1
    state.tokens += sums.targets
    state.skipped = verdict == .skip ? state.skipped + 1 : 0
    rolledBack = verdict == .rollBack
    if rolledBack {
      state.rollbacks = (state.rollbacks ?? 0) + 1
      // The losses that were undone are lower than those of the weights before.
      state.losses = nil
    }
    if verdict == .update {
      let loss = sums.loss / Double(sums.targets)
      keep(loss)
      if state.tokens == sums.targets { state.untrained = loss }
      state.recent = (state.recent ?? RecentLoss()).adding(sums.loss, Double(sums.targets))
    }
    lastEpoch = state.epoch
    (state.openEvaluation, state.openSample) = (nil, nil)
    if epochEnds { state.epoch += 1 }
    epochEnded = epochEnds
    stopAsked = sums.stopVotes > 0
    clockAsked = sums.clockVotes > 0
    improved = false
  }

  /// Keeps the loss of a step with an update, for the steps that are compared with it.
  private mutating func keep(_ loss: Double) {
    guard let window = training.onSpike?.window else {
      state.losses = nil
      return
    }
    state.losses = (state.losses ?? []).suffix(window - 1) + [loss]
  }

  /// Records a validation loss, and the loss of guessing if the data tells it; returns true if the
  /// validation loss is the best so far.
  mutating func finish(
    evaluation loss: Double, guess: Double? = nil, bytesPerTarget: Double? = nil
  ) -> Bool {
    state.bytesPerTarget = bytesPerTarget
    state.evaluatedAt = state.step
    state.openEvaluation = nil
    state.validationLoss = loss
    state.guess = training.readout == nil ? guess ?? self.guess : nil
    schedule.observe(loss, in: &state.plateau)
    if let patience = training.average?.trigger {
      var trigger = state.averageTrigger ?? AverageTrigger()
      trigger.observe(loss, patience: patience)
      state.averageTrigger = trigger
    }
    improved = state.earlyStopping.observe(loss)
    if improved { state.bestStep = state.step }
    return improved
  }

  /// Continues from a checkpoint of another folder: forgets the best step unless it is this one, and the step
  /// of rollbacks, because their checkpoints stay in the other folder.
  package mutating func forgetOtherBest() {
    if state.bestStep != state.step { state.bestStep = nil }
    if state.rollbackStep != nil { state.rollbackStep = state.step }
  }

  /// True if every step has been taken, or validation has stopped improving.
  public var isComplete: Bool { hasReachedEnd || hasGivenUp }

  /// True if every step has been taken. Whole epochs are counted as such, because a run may be resumed
  /// with windows of another length.
  private var hasReachedEnd: Bool {
    switch training.length {
    case .epochs(let epochs) where epochs == epochs.rounded(): state.epoch > Int(epochs)
    case .epochs(let epochs): Double(state.epoch) > epochs.rounded(.up) || runStep >= scheduledSteps
    case .steps(let steps): state.step >= steps
    case .tokens(let tokens): state.tokens >= tokens
    }
  }

  /// True if validation has stopped improving.
  public var hasGivenUp: Bool {
    guard let earlyStop = training.earlyStop else { return false }
    return state.earlyStopping.shouldStop(earlyStop)
  }

  /// True if the run was asked to stop before its end; it can be resumed.
  var isInterrupted: Bool { stops && !isComplete }

  /// True if a stop was asked for, or the step has come after which the run is to stop.
  private var stops: Bool { stopAsked || hasReachedStopStep }

  /// True if the step has come after which the run is to stop.
  package var hasReachedStopStep: Bool { stopStep.map { state.step >= $0 } ?? false }

  /// True if the run was stopped in the evaluation after its last step.
  package var hasOpenEvaluation: Bool { evaluation != nil && state.openEvaluation != nil }

  /// Records that the evaluation after this step is left to the resumed run.
  mutating func leaveEvaluationOpen() { state.openEvaluation = lastEpoch }

  /// True if the run was stopped while samples were written after its last step.
  package var hasOpenSample: Bool { sampleEvery != nil && state.openSample != nil }

  /// Records whether the samples after this step are left to the resumed run.
  mutating func leaveSampleOpen(_ isOpen: Bool) { state.openSample = isOpen ? lastEpoch : nil }

  var isEvaluationDue: Bool {
    guard let evaluation, state.evaluatedAt < state.step else { return false }
    if hasReachedEnd { return true }
    if training.readout != nil { return false }
    switch evaluation.every {
    case .epoch: return epochEnded
    case .steps(let steps): return state.step.isMultiple(of: steps)
    case .seconds: return false
    }
  }

  /// Returns true if the validation data is scored after the step that is being taken.
  /// - Parameters:
  ///   - sums: The sums of the step over all ranks.
  ///   - epochEnds: True if the step is the last of its epoch.
  func evaluates(after sums: StepSums, epochEnds: Bool) -> Bool {
    guard evaluation != nil else { return false }
    var next = self
    next.finish(sums, .update, epochEnds: epochEnds)
    return next.isEvaluationDue
  }

  /// True if the model is to write samples after this step. It does not depend on whether the run was resumed.
  var isSampleDue: Bool {
    guard let sampleEvery else { return false }
    if isComplete { return true }
    if training.readout != nil { return false }
    switch sampleEvery {
    case .epoch: return state.epoch > lastEpoch
    case .steps(let steps): return state.step.isMultiple(of: steps)
    case .seconds: return false
    }
  }

  var isCheckpointDue: Bool {
    // Partial sums of a readout are useless: a run that is stopped starts its pass again.
    if training.readout != nil { return isComplete }
    return isComplete || stops || isCheckpointScheduled
  }

  /// True if a checkpoint is due after this step, whether or not the run ends here.
  private var isCheckpointScheduled: Bool {
    if improved || rolledBack || state.step == 0 { return true }
    if let every = checkpoint.keepEvery, state.step.isMultiple(of: every) { return true }
    switch checkpoint.every {
    case .epoch: return epochEnded
    case .steps(let steps): return state.step.isMultiple(of: steps)
    case .seconds: return clockAsked
    }
  }

  /// Records that a checkpoint of this step is saved, for a rollback to go back to if it is due.
  mutating func noteSave() {
    if !training.mayRollBack {
      state.rollbackStep = nil
    } else if isCheckpointScheduled {
      state.rollbackStep = state.step
    }
  }

  /// True if the latest evaluation is the best so far.
  var isBest: Bool { improved }

  /// True if nothing may follow a checkpoint of this step before it is on the disk: at the end, before the
  /// process ends as asked, and after a rollback, which a resumed run must not take again.
  var mustWaitForCheckpoint: Bool {
    !checkpoint.isAsynchronous || isComplete || stops || rolledBack
      || training.readout != nil
  }

  /// True if all ranks compare their weights after this step.
  var isCheckDue: Bool {
    training.readout == nil
      && communicationCheckEvery.map { state.step.isMultiple(of: $0) } ?? false
  }
}
