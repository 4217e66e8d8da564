internal import Collectives
public import Configuration

/// The measurement that `unroll bench --scaling` makes: the same model on the first 1, n₂, n₃ … ranks of a
/// world, with the same streams on each rank (weak scaling).
public struct ScalingRequest: Sendable {
  /// The numbers of ranks, ascending from 1.
  public let sizes: [Int]
  /// The number of times that every size is measured, in turn.
  public let rounds: Int
  /// The measurement of each size.
  let requests: [BenchRequest]
  /// The streams of each rank.
  let batchSize: Int

  /// Makes the requests of all sizes. Without `shape.batchSize` a rank has the whole batch of the
  /// configuration.
  /// - Parameters:
  ///   - task: The kind of step that is measured; only training is possible.
  ///   - shape: The sizes of the model and the batch that replace those of the configuration.
  ///   - configuration: The options of the run to measure; nil for those of the benchmark.
  ///   - sizes: The numbers of ranks to measure, ascending from 1.
  ///   - rounds: The number of times that every size is measured, from 1 to 1000.
  ///   - steps: The number of timed steps; nil for about ten seconds of steps.
  ///   - warmUp: The number of steps before the timed ones.
  ///   - ranks: The number of ranks that were started.
  ///   - command: The command line, for the error message.
  /// - Throws: `UsageError` if a number is impossible, or there are too few ranks.
  public init(
    _ task: BenchRequest.Task, _ shape: BenchRequest.Shape, configuration: RunOptions? = nil,
    sizes: [Int], rounds: Int = 3, steps: Int? = nil, warmUp: Int = 2, ranks: Int,
    command: String = "unroll bench"
  ) throws(UsageError) {
    guard task == .train else {
      throw UsageError("--scaling measures training: leave out --task \(task.rawValue)")
    }
    guard sizes.first == 1, zip(sizes, sizes.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw UsageError(
        "--scaling is \(sizes.map(String.init).joined(separator: ",")): give numbers of ranks that begin "
          + "with 1 and ascend, as in --scaling 1,2,4")
    }
    guard (1...1000).contains(rounds) else {
      throw UsageError("--rounds is \(rounds): give 1 to 1000")
    }
    let most = sizes[sizes.count - 1]
    guard most <= ranks else {
      throw UsageError(
        "--scaling needs \(most) ranks and has \(ranks): start it with mpirun -np \(most) \(command)"
      )
    }
    var shape = shape
    if shape.batchSize == nil { shape.batchSize = configuration?.training.batchSize }
    var requests: [BenchRequest] = []
    for size in sizes {
      requests.append(
        try BenchRequest(
          task, shape, configuration: configuration, steps: steps, warmUp: warmUp, ranks: size))
    }
    (self.sizes, self.rounds, self.requests) = (sizes, rounds, requests)
    batchSize = requests[0].options.training.batchSize
  }
}
