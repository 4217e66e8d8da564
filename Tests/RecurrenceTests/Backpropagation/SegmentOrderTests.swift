import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Which segments are computed again where few states are kept.
@Suite struct `The order of segments` {
  /// C(t, m) as the paper has it: Gruslys 2016, the dynamic programme of BPTT-HSM.
  private struct Table {
    private var known: [[Int]: Int] = [:]

    mutating func cost(_ t: Int, _ m: Int) -> Int {
      if m == 1 { return t * (t + 1) / 2 }
      if m >= t { return 2 * t - 1 }
      if let known = known[[t, m]] { return known }
      let least = (1..<t).map { y in y + cost(t - y, m - 1) + cost(y, m) }.min()!
      known[[t, m]] = least
      return least
    }
  }

  /// The fewest segments computed of everything that can be done: a state is a place that the tape
  /// carries the states of, places whose states are kept, and how many segments are left to be
  /// taken back.
  private func fewest(_ count: Int, states: Int) -> Int {
    struct Place: Hashable {
      var at: Int
      var kept: Int
      var left: Int
    }
    var reached: Set<Place> = []
    var front: Set<Place> = [Place(at: 0, kept: 1, left: count)]
    for cost in 0... {
      // What costs nothing: keeping a state in place of any other, and going back to a kept one.
      var waiting = Array(front)
      while let place = waiting.popLast() {
        var next = (0..<count).filter { place.kept >> $0 & 1 == 1 }.flatMap { other in
          [
            Place(at: other, kept: place.kept, left: place.left),
            Place(at: place.at, kept: place.kept & ~(1 << other), left: place.left),
          ]
        }
        if place.kept.nonzeroBitCount < states {
          next.append(Place(at: place.at, kept: place.kept | 1 << place.at, left: place.left))
        }
        for place in next where !reached.contains(place) && front.insert(place).inserted {
          waiting.append(place)
        }
      }
      reached.formUnion(front)
      if front.contains(where: { $0.left == 0 }) { return cost }
      // What costs one segment: to read it, or to take it back.
      front = Set(
        front.compactMap { place in
          guard place.at < place.left else { return nil }
          return place.at == place.left - 1
            ? Place(at: place.at, kept: place.kept, left: place.left - 1)
            : Place(at: place.at + 1, kept: place.kept, left: place.left)
        }
      ).subtracting(reached)
    }
    preconditionFailure("unreachable")
  }

  @Test func `computes as few as the dynamic programme`() {
    var table = Table()
    for states in 1...12 {
      for count in 1...150 {
        #expect(
          RecomputationSchedule.cost(segments: count, states: states) == table.cost(count, states),
          "\(count) segments with \(states) states")
      }
    }
    #expect(RecomputationSchedule.cost(segments: 1000, states: 1000) == 1999)
    #expect(RecomputationSchedule.cost(segments: 1 << 20, states: 1) == (1 << 19) * (1 << 20 + 1))
  }

  @Test func `computes as few as anything that can be done`() {
    for states in 1...4 {
      for count in 1...7 {
        let least = fewest(count, states: states)
        #expect(
          RecomputationSchedule.cost(segments: count, states: states) == least,
          "\(count) segments with \(states) states: \(least)")
      }
    }
  }

  /// Notes how often a model is run.
  private final class Counter: @unchecked Sendable {
    var (read, differentiated) = (0, 0)
  }

  private struct Counted: Model {
    let model: SequenceModel
    let counter: Counter
    var plan: Plan { model.plan }
    var interface: TaskSignature { model.interface }
    var encoder: [any Layer] { model.encoder }
    var layers: [any Layer] { model.layers }
    var head: any Head { model.head }
    var outputWeights: [Parameter] { model.outputWeights }
    var tiedNames: [String: String] { model.tiedNames }
    var structure: [String] { model.structure }
    var probes: [Probe] { model.probes }
    func read(_ pass: Pass) {
      counter.read += 1
      model.read(pass)
    }
    func forward(_ pass: Pass) {
      counter.differentiated += 1
      model.forward(pass)
    }
    func backward(_ pass: Pass) { model.backward(pass) }
  }

  @Test func `is what is computed`() {
    var table = Table()
    let trial = WindowTrial("elman", Elman.self, Elman.Options(hidden: 4), steps: 40)
    for (steps, length) in [(1, 1), (2, 1), (17, 1), (40, 1), (39, 2), (40, 3), (6, 7)] {
      for states in [1, 2, 3, 5, 8, 100] {
        let window = WindowSize(steps: steps, streams: WindowTrial.streams)
        let plan = trial.model.plan
        let tape = Tape(plan, fitting: [window], atMost: length, derivatives: true, resets: true)
        let segments = ActivationCheckpointing(
          of: window, length: length, states: states, on: tape, for: plan,
          widths: trial.batch.widths)
        // A window that is shorter than others, too.
        for steps in [steps, (steps + 1) / 2] {
          trial.fill(window: 0, steps: steps)
          let counter = Counter()
          segments.differentiate(
            Counted(model: trial.model, counter: counter), trial.batch, weights: trial.weights,
            gradient: trial.gradient)
          let count = (steps - 1) / length + 1
          #expect(counter.differentiated == count)
          #expect(
            counter.read + counter.differentiated == table.cost(count, states),
            "\(steps) steps in segments of \(length) with \(states) states")
        }
      }
    }
  }
}
