internal import Checkpointing
internal import Collectives

/// The time at which training goes on after a checkpoint was begun.
package enum SaveMode {
  /// As soon as there is a copy in memory.
  case inBackground
  /// When it is on the disk, or has failed.
  case waiting
  /// When it is on the disk; a failure is thrown, whatever `checkpoint.on_failure` says.
  case required
}

extension Trainer {
  /// Saves a checkpoint. Collective.
  ///
  /// One checkpoint is written at a time: if the one before is not done, training waits for it.
  package func save(_ mode: SaveMode) throws {
    RankActivity.current.enter(.saving, step: coordinator.state.step)
    try finishSave()
    coordinator.noteSave()
    let clock = ContinuousClock()
    let begin = clock.now
    let snapshot = try snapshot(copying: mode == .inBackground)
    guard let snapshot, let checkpoints else { return }
    let copied = clock.now
    snapshotSeconds = (copied - begin) / .seconds(1)
    try checkpoints.begin(
      snapshot, isBest: coordinator.isBest, inBackground: mode == .inBackground)
    if mode != .inBackground {
      try finishSave(isRequired: mode == .required, waitingSince: copied)
    }
  }

  /// Saves the initial weights, if a bad step may go back to them.
  func saveBeforeFirstStep() throws {
    guard coordinator.training.mayRollBack, coordinator.state.step == 0 else { return }
    try save(.waiting)
  }

  /// Waits until the checkpoint that is being written is done, and reports it.
  /// - Parameter begin: The time since which training has waited for it; nil for now.
  /// - Throws: `FileError` if it failed and is required, or if `checkpoint.on_failure` is `stop`.
  func finishSave(
    isRequired: Bool = false, waitingSince begin: ContinuousClock.Instant? = nil
  ) throws {
    let begin = begin ?? .now
    guard let report = checkpoints?.finish() else { return }
    try finish(report, waited: (.now - begin) / .seconds(1), isRequired: isRequired)
  }

  /// Reports the checkpoint that was written in the background, if it is done.
  func reportSave() throws {
    if let report = checkpoints?.poll() { try finish(report, waited: 0, isRequired: false) }
  }

  private func finish(_ report: CheckpointReport, waited: Double, isRequired: Bool) throws {
    var report = report
    report.snapshotSeconds = snapshotSeconds
    report.waitSeconds = waited
    if let failure = report.failure, isRequired || coordinator.checkpoint.onFailure == .stop {
      throw failure
    }
    for sink in sinks { sink.record(checkpoint: report, coordinator) }
  }

  /// Undoes the updates since the last checkpoint that was due: weights, moments, averages and all that the exchange
  /// of gradients keeps are those of that checkpoint, and streams begin anew. The position in the data, the step
  /// and the learning rate stay as they are, so that no window is read twice. Collective.
  /// - Returns: False if there is no checkpoint.
  func rollBack() throws -> Bool {
    try finishSave()
    let checkpoint = try world.unanimous {
      try checkpoints?.checkpoint(ofStep: coordinator.state.rollbackStep)
    }
    guard let step = try world.share(checkpoint?.state.step) else { return false }
    // Sums that are under way write into the vectors that are restored.
    try outer?.settle()
    try restoreVectors(checkpoint)
    microBatches.clearAll()
    for sink in sinks { sink.record(rollbackTo: step, coordinator) }
    return true
  }
}
