internal import Checkpointing
public import Collectives
internal import Configuration
internal import Datasets
internal import Formats
internal import Foundation
internal import Inference
internal import LinearAlgebra
internal import Recurrence
internal import Runs
internal import Training

/// Measures training on growing numbers of ranks within one run.
///
/// Every round measures each size once, so that a machine whose speed drifts disturbs all sizes alike; ratios
/// are those of one round. The first n ranks train in a world of their own, and the others sleep meanwhile.
/// Every measurement makes its model anew, so that memory is that of one model.
public struct ScalingBenchmark: Sendable {
  public let request: ScalingRequest
  private let benchmarks: [Benchmark]
  /// About the seconds of one measurement, unless the steps are given.
  private static let seconds = 3.0

  public init(_ request: ScalingRequest) {
    self.request = request
    benchmarks = request.requests.map { Benchmark($0) }
  }

  /// The speed of one size in one round.
  package struct Measurement: Sendable {
    /// Targets per second, over all ranks.
    var rate: Double
    var steps: Int
    /// Seconds per step, mean over the ranks: computing, waiting for the slowest rank, and the sum.
    var compute, wait, sum: Double
    /// The seconds that each rank has computed per step.
    var ranks: [Double]

    package init(
      rate: Double, steps: Int, compute: Double, wait: Double, sum: Double, ranks: [Double]
    ) {
      (self.rate, self.steps, self.ranks) = (rate, steps, ranks)
      (self.compute, self.wait, self.sum) = (compute, wait, sum)
    }
  }

  /// Returns the description of what is measured, which a baseline must share. Collective; the same on every
  /// rank.
  public func subject(in world: any Communicator) throws -> ScalingSubject {
    let largest = request.sizes[request.sizes.count - 1]
    let own = try JSONValue.encoder().encode(Place(host: world.hostName))
    let places = try world.allGather(Array(own)).prefix(largest).map {
      try JSONValue.decoder.decode(Place.self, from: Data($0))
    }
    return try ScalingSubject(
      request, processor: Set(places.map(\.processor)).sorted().joined(separator: ", "),
      kernels: Set(places.map(\.kernels)).sorted().joined(separator: ", "),
      hosts: places.map(\.host))
  }

  private struct Place: Codable {
    var host: String
    var processor = System.processorName
    var kernels = ProductLibrary.kernels
  }

  /// Measures all sizes. Collective; returns nil except on the root.
  /// - Throws: `UsageError` if the machine has too little memory.
  public func run(
    _ subject: ScalingSubject, in world: any Communicator
  ) throws -> ScalingReport? {
    let parts = try request.sizes.map { try world.split(by: world.rank < $0 ? 0 : nil) }
    var measured = request.sizes.map { _ in [Measurement]() }
    for _ in 0..<request.rounds {
      for (index, part) in parts.enumerated() {
        let trainer = try world.unanimous {
          try part.map { part in
            try benchmarks[index].makeTrainer(in: part)
          }
        }
        if let trainer, let part {
          let known = measured[0].first?.steps ?? 0
          measured[index].append(
            try measure(trainer, request.requests[index], steps: known, in: part))
        }
        try world.sleepingBarrier()
      }
    }
    for part in parts { try part?.finish() }
    return world.isRoot ? ScalingReport(subject, measured) : nil
  }

  /// Takes steps and measures them.
  /// - Parameter steps: The number of steps of earlier measurements; 0 in the first one.
  private func measure(
    _ trainer: Trainer, _ request: BenchRequest, steps known: Int, in part: any Communicator
  ) throws -> Measurement {
    var last = 0.0
    for _ in 0..<request.warmUp { last = try timed(trainer).seconds }
    // The root has taken part in every measurement.
    var agreed = [Int32(known)]
    var slowest = [last]
    try part.max(&agreed)
    try part.max(&slowest)
    var steps = agreed[0] > 0 ? Int(agreed[0]) : request.steps ?? Self.steps(slowest[0])
    if let round = request.round { steps = (steps + round - 1) / round * round }
    try part.barrier()
    var times: [Double] = []
    var targets = 0
    var seconds = [0.0, 0.0, 0.0]
    var ranks = [Double](repeating: 0, count: part.size)
    for _ in 0..<steps {
      let (report, time) = try timed(trainer)
      times.append(time)
      targets += report.score.targets
      seconds[0] += report.time.total - report.time.communication
      seconds[1] += report.waitSeconds
      seconds[2] += report.time.communication - report.waitSeconds
      for (rank, time) in report.ranks.enumerated() { ranks[rank] += time / Double(steps) }
    }
    try part.sum(&seconds)
    let mean = seconds.map { $0 / Double(steps * part.size) }
    // Between outer steps a step is short, and the median would not see them.
    var time = [request.round == nil ? median(times) : times.reduce(0, +) / Double(steps)]
    try part.max(&time)
    return Measurement(
      rate: Double(targets) / Double(steps) / time[0], steps: steps, compute: mean[0],
      wait: mean[1], sum: mean[2],
      ranks: ranks)
  }

  private func timed(_ trainer: Trainer) throws -> (report: StepReport, seconds: Double) {
    let clock = ContinuousClock()
    let start = clock.now
    let report = try trainer.step()
    return (report, (clock.now - start) / .seconds(1))
  }

  private static func steps(_ seconds: Double) -> Int {
    min(max(Int(Self.seconds / max(seconds, 1e-9)), 3), 100_000)
  }
}

/// Returns the middle number; of an even count the mean of the two in the middle.
func median(_ numbers: [Double]) -> Double {
  let sorted = numbers.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
