internal import Configuration
internal import Datasets

// The windows of a running text that differ from step to step: a batch that grows, and random lengths.
extension Trainer {
  /// Lets the batch grow as its ramp says, between windows. Collective.
  func grow() throws {
    let training = coordinator.training
    guard microBatches.place == nil else { return }
    let step = coordinator.state.step
    let updates = training.ramp?.updates(step: step, batchSize: training.batchSize) ?? 1
    if updates != microBatches.updates {
      let (states, cursor) = (try gatherStates(), loader.cursor)
      try cut(into: updates)
      try microBatches.seek(cursor)
      try scatterStates(states.map { Array($0.memory) }, keptSteps: 0)
    }
    if let ramp = training.ramp {
      microBatches.limitWindows(to: ramp.windowSteps(step: step, bptt: training.bptt))
    }
  }

  /// Chooses the length of the next window where it is random.
  /// - Returns: The factor on the learning rate: the length over that of other windows.
  func setWindow() -> Double {
    let training = coordinator.training
    guard let random = training.randomWindows else { return 1 }
    let length = random.length(step: coordinator.state.step, bptt: training.bptt, seed: seed)
    microBatches.limitWindows(to: length)
    return Double(length) / Double(training.bptt)
  }

  /// Returns the number of windows per epoch; of the first epoch where their lengths are random.
  static func stepsPerEpoch(_ options: RunOptions, _ loader: any BatchLoader) -> Int {
    guard let random = options.training.randomWindows, let length = loader.stepsPerEpoch else {
      return loader.windowsPerEpoch
    }
    return random.steps(
      epochs: 1, length: length, bptt: options.training.bptt, seed: options.seed)
  }

  /// Cuts the streams anew, so that each window is read in some updates; their states are lost.
  func cut(into updates: Int) throws {
    let profile = tape.profile
    microBatches = try makeMicroBatches(updates)
    tape.profile = profile
  }
}
