import Collectives
import Configuration
import Formats
import LinearAlgebra
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `Bad numbers` {
    static let trial = Trial(
      // An intercepted world sums all gradients.
      "communication.node=separate",
      "training.on_nonfinite=skip", "checkpoint.every=1", "training.average={decay: 0.9}",
      "training.steps=12")

    /// Poisons a gradient on the last rank at some steps, and trains.
    static func train(
      _ trial: Trial, _ world: any Communicator, _ folder: String, poison steps: Set<Int>,
      run name: String = "run", journal: Journal = Journal()
    ) throws -> Ending {
      try trial.train(
        poisoned(world, at: steps), folder, run: name, journal: journal)
    }

    @Test(
      arguments: World.all,
      [1, 6, 7])
    func `A skipped step leaves weights, moments and states, and moves on`(
      _ world: World, _ step: Int
    ) throws {
      let results = try world.run { world, folder -> ([String], [String], Ending) in
        let journal = Journal()
        let ending = try Self.train(
          Self.trial, world, folder, poison: Set(step...step), journal: journal)
        var found: [String] = []
        let after = try Kept(folder, step: step)
        if step > 1 {
          let before = try Kept(folder, step: step - 1)
          // Everything but the place and the count of steps.
          found += before.differences(after).filter {
            !["schedule", "step", "streams", "tokens"].contains($0)
          }
          if before.state["streams"] == after.state["streams"] { found.append("same place") }
        } else if after.tensors["hidden.safetensors"]!.suffix(40).contains(where: { $0 != 0 }) {
          found.append("hidden state that is not zero")
        }
        if after.state["step"] != .integer(step) { found.append("step \(after.state)") }
        let metrics = try Metrics(folder)
        if metrics.steps("updated") != [step] { found.append("\(metrics.steps("updated"))") }
        if metrics.steps("loss") != Array(1...12) { found.append("steps missing") }
        try world.barrier()
        return (found, journal.lines.filter { $0.hasPrefix("warning") }, ending)
      }
      for (found, warnings, ending) in results {
        #expect(found.isEmpty)
        #expect(ending.outcome == .complete && ending.step == 12)
        #expect(ending.weights.allSatisfy { $0.isFinite })
        #expect(ending.weights == results[0].2.weights)
        for warning in warnings { #expect(warning.contains("Step \(step) was skipped")) }
      }
      if !World.isLaunched { #expect(results.filter { !$0.1.isEmpty }.count == 1) }
    }

    @Test(arguments: World.all)
    func `Bad numbers turn up where they are on every rank, and limit turns skip into stop`(
      _ world: World
    ) throws {
      let trial = Self.trial.with("training.on_nonfinite={policy: skip, limit: 3}")
      let results = try world.run { world, folder in
        [
          // Three in a row are put up with; after a good one the count begins anew.
          try Self.train(
            trial, world, folder, poison: Set(2...4).union(6...8), run: "three"
          ).outcome,
          try Self.train(trial, world, folder, poison: Set(2...5), run: "four").outcome,
          try Self.train(
            trial.with("training.on_nonfinite=stop"), world, folder, poison: Set(5...5), run: "stop"
          ).outcome,
        ]
      }
      for found in results {
        #expect(found == [.complete, .diverged(step: 5), .diverged(step: 5)])
      }
    }

    @Test(arguments: World.all)
    func `A run that diverged goes on from the checkpoint before`(_ world: World) throws {
      let trial = Self.trial.with("training.on_nonfinite=stop")
      let results = try world.run { world, folder in
        let first = try Self.train(trial, world, folder, poison: Set(5...5))
        let second = try trial.train(world, folder)
        try trial.train(world, folder, run: "whole")
        return (
          first.outcome, second.outcome,
          try Kept(folder).differences(Kept(folder, run: "whole"))
            + (Metrics(folder).withoutTimes == Metrics(folder, run: "whole").withoutTimes
              ? [] : ["metrics"])
        )
      }
      for (first, second, found) in results {
        #expect(first == .diverged(step: 5) && second == .complete)
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.all)
    func `A rate that is far too large diverges on all ranks at one step`(_ world: World) throws {
      let trial = Trial(
        "training.optimizer={rule: sgd}", "training.clip=null",
        "training.schedule.learning_rate=1e38")
      let results = try world.run { try trial.train($0, $1).outcome }
      for outcome in results {
        #expect(outcome == results[0] && outcome != .complete && outcome != .interrupted)
      }
    }
  }
}

/// A world in which the last rank's gradient holds a NaN at some steps, at its fourth place or its last.
func poisoned(
  _ world: any Communicator, at steps: Set<Int>, last: Bool = false
) -> Intercepted {
  // Gradients are the only Floats that are summed, once a step.
  Intercepted(world) { step, values in
    guard world.rank == world.size - 1 && steps.contains(step) else { return }
    values[last ? values.count - 1 : 3] = .nan
  }
}

/// A world in which somebody sees every vector of Floats before it is summed, and its number from 1.
final class Intercepted: Communicator, @unchecked Sendable {
  private let world: any Communicator
  private let see: (Int, UnsafeMutableBufferPointer<Float>) -> Void
  private var number = 0

  init(
    _ world: any Communicator, _ see: @escaping (Int, UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    self.world = world
    self.see = see
  }

  var rank: Int { world.rank }
  var size: Int { world.size }
  var nodeRank: Int { world.nodeRank }
  var nodeSize: Int { world.nodeSize }

  func sum(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError) {
    number += 1
    see(number, values)
    try world.sum(values)
  }
  func sum(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError) {
    try world.sum(values)
  }
  func sum(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError) {
    try world.sum(values)
  }
  func sumInTree(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError) {
    try world.sumInTree(values)
  }
  func max(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError) {
    try world.max(values)
  }
  func max(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError) {
    try world.max(values)
  }
  func broadcast(_ bytes: [UInt8], from root: Int) throws(CommunicationError) -> [UInt8] {
    try world.broadcast(bytes, from: root)
  }
  func gather(_ bytes: [UInt8], at root: Int) throws(CommunicationError) -> [[UInt8]] {
    try world.gather(bytes, at: root)
  }
  func scatter(_ parts: [[UInt8]], from root: Int) throws(CommunicationError) -> [UInt8] {
    try world.scatter(parts, from: root)
  }
  func send(_ bytes: UnsafeRawBufferPointer, to other: Int) throws(CommunicationError) {
    try world.send(bytes, to: other)
  }
  func receive(_ bytes: UnsafeMutableRawBufferPointer, from other: Int) throws(CommunicationError) {
    try world.receive(bytes, from: other)
  }
  func split(by color: Int?) throws(CommunicationError) -> (any Communicator)? {
    try world.split(by: color)
  }
  /// Ranks that cannot share memory, so that all gradients are summed here.
  func splitByNode() throws(CommunicationError) -> any Communicator {
    Intercepted(try world.splitByNode(), see)
  }
  func barrier() throws(CommunicationError) { try world.barrier() }
  func abort(code: Int32) throws(CommunicationError) -> Never { try world.abort(code: code) }
  func finish() throws(CommunicationError) { try world.finish() }
}
