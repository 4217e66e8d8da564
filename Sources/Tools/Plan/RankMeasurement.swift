internal import Collectives
internal import Configuration
internal import Datasets
internal import Foundation
internal import LinearAlgebra
internal import Optimization
internal import Recurrence
internal import Runs
internal import Training

/// The speed of a rank at the shapes of a configuration: a few real training steps on a generated text, which
/// every rank takes alone and at the same time as the others of its node.
struct RankMeasurement {
  /// Seconds per step of each phase.
  var phases: [Double]
  /// The seconds of each step.
  var times: [Double]

  /// Takes steps for about `seconds`, but not fewer than four. Collective; ranks exchange nothing.
  init(_ request: PlanRequest, seconds: Double, in world: any Communicator) throws {
    var options = request.options
    options.communication = CommunicationOptions()
    let training = options.training
    let windows = max(4, 20_000 / (training.batchSize * training.bptt))
    let text = GeneratedText(
      count: training.batchSize * (windows * training.bptt + 1), vocabulary: request.vocabulary,
      seed: options.seed &+ UInt64(world.rank))
    let alone = SingleProcess()
    let trainer = try world.unanimous {
      let dataset = try text.dataset(in: FileManager.default.temporaryDirectory.path)
      try MemoryEstimate(
        options, dataset, PlannedWorld(size: world.nodeSize, nodeSize: world.nodeSize)
      )
      .check()
      return try Trainer(options, dataset: dataset, world: alone)
    }
    let clock = ContinuousClock()
    func step() throws -> Double {
      let start = clock.now
      _ = try trainer.step()
      return (clock.now - start) / .seconds(1)
    }
    _ = try step()
    var slowest = [try step()]
    try world.max(&slowest)
    let count = min(max(Int(seconds / slowest[0]), 4), 2_000)
    try world.barrier()
    times = []
    var all: [[Double]] = []
    for _ in 0..<count {
      let profile = Profile()
      trainer.profile = profile
      times.append(try step())
      all.append(Phase.allCases.map { profile[$0] })
    }
    trainer.profile = nil
    // Medians, so that a disturbance of a few steps does not count.
    phases = Phase.allCases.indices.map { phase in
      all.map { $0[phase] }.sorted()[count / 2]
    }
    try world.sum(&phases)
    phases = phases.map { $0 / Double(world.size) }
  }

  /// The seconds per step of a phase, the mean over ranks.
  private subscript(phase: Phase) -> Double { phases[phase.rawValue] }

  /// Returns the speeds at which the work of a step takes the time that was measured. A product that the
  /// configuration does not have gets the speed of the others.
  func gflops(_ work: StepWork) -> ProductSpeeds {
    let all = work.differentiation
    let recurrent = all.recurrent.reduce(0) { $0 + $1.operations }
    let found = [(all.output, Phase.output), (all.input, .input), (recurrent, .recurrent)].map {
      operations, phase in
      operations > 0 && self[phase] > 0 ? 1e-9 * operations / self[phase] : 0
    }
    let best = found.max() ?? 1
    let known = found.map { $0 > 0 ? $0 : max(best, 1e-3) }
    return ProductSpeeds(output: known[0], input: known[1], recurrent: known[2])
  }

  /// Returns the 10⁹ numbers per second of everything that is computed one by one; nil if nothing is.
  func elementwise(_ work: StepWork) -> Double? {
    let numbers = work.differentiation.elementwise
    let seconds = [Phase.pointwise, .embedding, .data, .sampling, .other].reduce(0) {
      $0 + self[$1]
    }
    return numbers > 0 && seconds > 0 ? 1e-9 * numbers / seconds : nil
  }

  /// Returns the 10⁹ bytes per second of the optimizer's passes.
  func memory(_ work: StepWork) -> Double {
    1e-9 * work.update.bytes / max(self[.optimizer], 1e-9)
  }

  /// Returns the standard deviation of step times over their median, from the quartiles, so that single
  /// disturbances do not count. It is at most a fifth. Collective.
  func variation(in world: any Communicator) throws -> Double {
    let sorted = times.sorted()
    let (low, high) = (
      sorted[sorted.count / 4], sorted[min(3 * sorted.count / 4, sorted.count - 1)]
    )
    var sum = [(high - low) / 1.349 / sorted[sorted.count / 2]]
    try world.sum(&sum)
    return min(sum[0] / Double(world.size), 0.2)
  }
}
