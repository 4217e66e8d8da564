internal import Collectives
internal import Configuration
internal import Formats
internal import Training

// What must hold of any run, whatever its model and its data.
extension Trial {
  /// Returns the differences on each rank between a run that is stopped and resumed and one that is not:
  /// outcomes, weights, bytes of checkpoints, metrics.
  package func differencesWhenStopped(at stops: [Int], in world: World) throws -> [[String]] {
    try world.run { world, folder in
      let whole = try train(world, folder, run: "whole")
      var found: [String] = []
      for stop in stops {
        let name = "stopped at \(stop)"
        let first = try train(world, folder, run: name, stop: stop)
        if first.outcome != .interrupted || first.step != stop { found.append("\(first.outcome)") }
        let second = try train(world, folder, run: name)
        // Some trials take rates at which the loss ends above that of guessing.
        if second.outcome != whole.outcome || second.outcome == .interrupted {
          found.append("\(second.outcome)")
        }
        if second.weights != whole.weights { found.append("\(name): weights in memory") }
        found += try differencesFromWhole(folder, run: name).map { "\(name): \($0)" }
      }
      return found
    }
  }

  /// How far, on each rank, a run of all ranks is from one of a single process: members of the metrics by
  /// name, and at last the weights.
  package func divergencesFromAlone(_ members: [String], in world: World) throws -> [[Double]] {
    try world.run { world, folder in
      let many = try train(world, folder, run: "together")
      let alone = try train(SingleProcess(), folder, run: "alone \(world.rank)")
      let (a, b) = try (
        Metrics(folder, run: "together"), Metrics(folder, run: "alone \(world.rank)")
      )
      try world.barrier()
      return members.map { name in
        a.values(name).isEmpty ? .infinity : divergence(a.values(name), b.values(name))
      } + [divergence(many.weights, alone.weights)]
    }
  }
}
