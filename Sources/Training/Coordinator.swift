internal import Configuration
internal import Optimization

/// Decides the learning rate, whether a step counts, and when to evaluate, to save and to stop.
///
/// Every rank has one, fed with the same reduced numbers, so every rank decides alike without asking;
/// only the root acts on the world.
public struct Coordinator: Sendable {
  public internal(set) var state = CoordinatorState()
  let training: TrainingOptions
  let evaluation: EvaluationOptions?
  let checkpoint: CheckpointOptions
  private var schedule: Schedule
  /// The length of the run, as if all of its windows had the length of those to come.
  private let scheduledSteps: Int
  /// Windows in an epoch.
  public let stepsPerEpoch: Int

  /// The loss of guessing, where that does not depend on the data; nil where it does.
  let guess: Double?

  private var stopAsked = false
  private var clockAsked = false
  private var improved = false
  private var epochEnded = false
  /// The epoch of the step that was taken last.
  private(set) var lastEpoch = 1

  /// - Parameters:
  ///   - evaluation: nil where there is no validation data.
  ///   - guess: what guessing costs, in nats per target; nil where that is not known.
  /// - Throws: `ScheduleError` if the schedule needs what the run does not say.
  init(
    _ options: RunOptions, evaluation: EvaluationOptions?, stepsPerEpoch: Int,
    guess: Double? = nil
  ) throws(ScheduleError) {
    self.guess = options.training.readout == nil ? guess : nil
    training = options.training
    checkpoint = options.checkpoint
    self.evaluation = evaluation
    self.stepsPerEpoch = stepsPerEpoch
    switch options.training.length {
    case .epochs(let epochs):
      let (steps, overflows) = epochs.multipliedReportingOverflow(by: stepsPerEpoch)
      scheduledSteps = overflows ? .max : steps
    case .steps(let steps): scheduledSteps = steps
    }
    schedule = try Schedule(options.training.schedule, totalSteps: scheduledSteps)
    state.stepsPerEpoch = stepsPerEpoch
  }

  /// Goes on with the decisions of a checkpoint. A run that is measured in epochs has as much of its
  /// schedule behind it as before, also if these have another number of windows now.
  mutating func restore(_ state: CoordinatorState) {
    self.state = state
    lastEpoch = state.openEvaluation ?? lastEpoch
    self.state.stepsPerEpoch = stepsPerEpoch
    guard case .epochs(let epochs) = training.length else {
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

  /// - Parameter before: the windows of an epoch so far.
  private func recount(from before: Int, epochs: Int) -> CoordinatorState.Recount {
    let steps = Double(self.runStep) / Double(before) * Double(stepsPerEpoch)
    let runStep = Int(min(steps, Double(largestTotal)).rounded())
    let warmup = schedule.options.warmup
    guard schedule.followsRun, scheduleStep > warmup else {
      return CoordinatorState.Recount(
        runStep: runStep, scheduleStep: scheduleStep, surplus: scheduleStep - runStep)
    }
    // The part of the shape that is done; what is left of it takes what is left of the run.
    let length = Double(epochs) * Double(before) + Double(state.recount?.surplus ?? 0)
    let done = Double(scheduleStep - warmup) / max(length - Double(warmup), 1)
    let left = Double(max(scheduledSteps - runStep, 1))
    let rest = min(left / max(1 - done, 1e-6), 0x1p52).rounded()
    return CoordinatorState.Recount(
      runStep: runStep, scheduleStep: warmup + Int(max(rest - left, 0)),
      surplus: warmup + Int(rest) - scheduledSteps)
  }

  private var runStep: Int { state.recount?.runStep ?? state.step }
  private var scheduleStep: Int { state.recount?.scheduleStep ?? state.step }

  /// The step that is the run's last.
  public var totalSteps: Int {
    let (steps, overflows) = scheduledSteps.addingReportingOverflow(state.step - runStep)
    return overflows ? .max : steps
  }

  /// The learning rate of the coming step.
  public var rate: Double {
    schedule.rate(
      step: scheduleStep, epoch: state.epoch,
      plateauFactor: schedule.options.plateau == nil ? 1 : state.plateau.factor)
  }

  /// What the summed gradient is multiplied by: one over the targets, or over the streams or sequences
  /// that all ranks have in this batch, of which there may be more or fewer than `batch_size`.
  func gradientScale(of sums: StepSums) -> Double {
    switch training.lossReduction {
    case .mean: 1 / Double(max(sums.targets, 1))
    case .sumOverTime: 1 / Double(max(sums.sequences, 1))
    }
  }

  /// What becomes of a step once its sums are known.
  enum Verdict: Equatable {
    /// The weights change.
    case update
    /// They do not, because no target was seen.
    case nothingToLearn
    /// They do not, because the loss or the gradient is not finite; the streams' state is put back.
    case skip
    /// The run ends, for the same reason.
    case diverged
  }

  /// Judges a step by its summed loss and the norm of its gradient.
  func judge(_ sums: StepSums, norm: Double) -> Verdict {
    if sums.targets == 0 { return .nothingToLearn }
    if sums.loss.isFinite && norm.isFinite { return .update }
    switch training.onNonfinite.policy {
    case .stop: return .diverged
    case .skip:
      let limit = training.onNonfinite.limit
      return state.skipped + 1 > limit ? .diverged : .skip
    }
  }

  /// Takes in a step that is done.
  mutating func finish(_ sums: StepSums, _ verdict: Verdict, epochEnds: Bool) {
    state.step += 1
    state.recount?.runStep += 1
    state.recount?.scheduleStep += 1
    state.tokens += sums.targets
    state.skipped = verdict == .skip ? state.skipped + 1 : 0
    if verdict == .update {
      let loss = sums.loss / Double(sums.targets)
      if state.tokens == sums.targets { state.untrained = loss }
      state.recent = (state.recent ?? RecentLoss()).adding(sums.loss, Double(sums.targets))
    }
    lastEpoch = state.epoch
    state.openEvaluation = nil
    if epochEnds { state.epoch += 1 }
    epochEnded = epochEnds
    stopAsked = sums.stopVotes > 0
    clockAsked = sums.clockVotes > 0
    improved = false
  }

  /// Takes in a validation loss, and what guessing costs where the data says so; returns whether it is
  /// the best so far.
  mutating func finish(evaluation loss: Double, guess: Double? = nil) -> Bool {
    state.evaluatedAt = state.step
    state.openEvaluation = nil
    state.validationLoss = loss
    state.guess = training.readout == nil ? guess ?? self.guess : nil
    schedule.observe(loss, in: &state.plateau)
    improved = state.earlyStopping.observe(loss)
    if improved { state.bestStep = state.step }
    return improved
  }

  /// Takes up the decisions of a checkpoint that was saved in another folder, where the best one stays
  /// unless it is this one.
  mutating func forgetOtherBest() {
    if state.bestStep != state.step { state.bestStep = nil }
  }

  /// Whether every step has been taken, or validation has stopped improving.
  public var isComplete: Bool { hasReachedEnd || hasGivenUp }

  /// Whether every step has been taken. Epochs are counted as such, because a run may be resumed with
  /// windows of another length.
  private var hasReachedEnd: Bool {
    switch training.length {
    case .epochs(let epochs): state.epoch > epochs
    case .steps(let steps): state.step >= steps
    }
  }

  /// Whether validation has stopped improving.
  public var hasGivenUp: Bool {
    guard let earlyStop = training.earlyStop else { return false }
    return state.earlyStopping.shouldStop(earlyStop)
  }

  /// Whether somebody asked for an early end that can be resumed.
  var isInterrupted: Bool { stopAsked && !isComplete }

  /// Whether the run was stopped in the evaluation after its last step.
  var hasOpenEvaluation: Bool { evaluation != nil && state.openEvaluation != nil }

  /// Notes that the evaluation after this step is left to whoever resumes the run.
  mutating func leaveEvaluationOpen() { state.openEvaluation = lastEpoch }

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

  var isCheckpointDue: Bool {
    // Half the sums of a readout are no readout: a run that is stopped begins its pass again.
    if training.readout != nil { return isComplete }
    if isComplete || stopAsked || improved { return true }
    switch checkpoint.every {
    case .epoch: return epochEnded
    case .steps(let steps): return state.step.isMultiple(of: steps)
    case .seconds: return clockAsked
    }
  }

  /// Whether the latest evaluation is the best so far.
  var isBest: Bool { improved }
}
