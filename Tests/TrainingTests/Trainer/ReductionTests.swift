import Collectives
import Configuration
import Formats
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

/// A sum of gradients with a momentum of its own: v ← 0.5 v + Σ g, and v is the gradient.
private final class MomentumReducer: GradientReducer {
  private let sums: any GradientReducer
  private let velocity: ParameterVector
  private let isSaved: Bool

  init(_ request: ReducerRequest, isSaved: Bool = true) {
    sums = makeGradientReducer(request)
    velocity = ParameterVector(request.layout)
    self.isSaved = isSaved
  }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    try sums.sum(gradient, step: step)
    // Rows of an embedding that no rank has read move as well.
    gradient.touchAllRows()
    velocity.update { velocity in
      let v = velocity.buffer.elements()
      for (place, g) in gradient.buffer.elements().enumerated() {
        v[place] = 0.5 * v[place] + g
        gradient.buffer.elements()[place] = v[place]
      }
    }
  }

  var stateTensors: [(name: String, vector: ParameterVector)] {
    isSaved ? [("velocity", velocity)] : []
  }
}

extension TrainerTests {
  @Suite struct `The sum of a gradient` {
    static let rows = 130
    static let columns = 3
    static let layout: ParameterLayout = {
      var plan = Plan()
      _ = plan.parameter("table", from: columns, to: rows, pytorch: .zero, isRowSparse: true)
      _ = plan.parameter("weight", from: 5, to: 7, pytorch: .zero)
      return ParameterLayout(plan)
    }()

    /// The rows that a rank touches in each step: none, one by a single rank, few that differ between ranks,
    /// the same on all, more than half, all.
    static func touched(step: Int, rank: Int, of size: Int) -> [Int] {
      switch step {
      case 0: []
      case 1: rank == size - 1 ? [129] : []
      case 2: [0, 5 * rank + 1, 5 * rank + 2, 64 + rank, 128]
      case 3: [63, 64, 65]
      case 4: Array(0..<70)
      case 5: Array(0..<rows)
      default: [7 * rank]
      }
    }

    @Test(arguments: World.all)
    func `is that of all its numbers, and sends of a table only rows that some rank has touched`(
      _ world: World
    ) throws {
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        var sent: [Int] = []
        let gradient = ParameterVector(Self.layout)
        let reduction = makeGradientReducer(
          ReducerRequest(
            gradient, Intercepted(world) { _, values in sent.append(values.count) }))
        let entry = Self.layout.entry(named: "table")!
        let random = Philox(seed: 3, name: "rank \(world.rank)")
        for step in [2, 0, 1, 2, 5, 3, 4, 6, 0] {
          gradient.clear()
          let dense = Self.layout.entry(named: "weight")!.range
          var places = Array(dense)
          for row in Self.touched(step: step, rank: world.rank, of: world.size) {
            gradient.touchedRows(entry.parameter)!.insert(row)
            places += Array(entry.range(ofRows: row..<row + 1))
          }
          for place in places {
            gradient.buffer.elements()[place] =
              Float(random.uniform(UInt64(10_000 * step + place)) - 0.5)
          }
          let plain = Buffer<Float>(count: Self.layout.count)
          plain.copy(from: gradient.buffer)
          try world.sum(plain)
          sent = []
          try reduction.sum(gradient, step: step)

          let union = Set(
            (0..<world.size).flatMap { Self.touched(step: step, rank: $0, of: world.size) })
          var kept: [Int] = []
          gradient.touchedRows(entry.parameter)!.forEachRun { kept += Array($0) }
          if kept != union.sorted() && world.size > 1 { found.append("\(step): rows \(kept)") }
          let expected =
            world.size == 1 || 2 * union.count > Self.rows
            ? Self.layout.count : Self.layout.dense.count + Self.columns * union.count
          if sent != [expected] { found.append("\(step): sent \(sent)") }
          let worst = zip(plain.elements(), gradient.buffer.elements())
            .map { abs($0 - $1) }.max()!
          if !(worst < 1e-6) { found.append("\(step): off by \(worst)") }
          let bits = gradient.buffer.elements().flatMap { number in
            withUnsafeBytes(of: number.bitPattern) { Array($0) }
          }
          if try world.agree(on: bits) != .unanimous { found.append("\(step): ranks differ") }
        }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `A sum with a state of its own goes on with it after a resume`(_ world: World) throws {
      // The momentum is of the whole gradient, which no rank has where each sums a slice.
      var trial = Trial(
        "training.steps=23", "checkpoint={every: 1, keep: 1000}", "communication.node=separate")
      trial.reducer = { MomentumReducer($0) }
      for found in try trial.differencesWhenStopped(at: [5, 20], in: world) {
        #expect(found.isEmpty)
      }
      // What is not named as a state is lost.
      trial.reducer = { MomentumReducer($0, isSaved: false) }
      for found in try trial.differencesWhenStopped(at: [5], in: world) {
        #expect(!found.isEmpty)
      }
    }

    @Test(arguments: World.several)
    func `Bad numbers in a table are gone after the step that is skipped`(_ world: World) throws {
      let trial = Trial.manySymbols.with(
        "training.on_nonfinite=skip", "communication={node: separate, overlap: false}")
      let results = try world.run { world, folder in
        // The last number that is sent belongs to a row of the table.
        let ending = try trial.train(poisoned(world, at: [1, 6, 7], last: true), folder)
        return (ending, try Metrics(folder).steps("updated"))
      }
      for (ending, skipped) in results {
        #expect(ending.outcome == .complete && skipped == [1, 6, 7])
        #expect(ending.weights.allSatisfy { $0.isFinite })
        #expect(ending.weights == results[0].0.weights)
      }
    }
  }
}
