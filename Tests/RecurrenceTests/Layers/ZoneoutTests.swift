import LinearAlgebra
import Recurrence
import Testing

@Suite struct `Zoneout of states` {
  private static let hidden = 40
  private static let steps = 30
  private static let rate = 0.3

  private func trial(layers: Int = 1) -> WindowTrial {
    let layer = LayerOptions(
      .recurrent(cell: "lstm", LSTM.Options(hidden: Self.hidden)),
      surroundings: RecurrentLayerOptions(zoneout: Self.rate))
    return WindowTrial(
      SequenceModelOptions(
        embedding: WindowTrial.input, layers: Array(repeating: layer, count: layers)),
      steps: Self.steps)
  }

  /// Returns, for each state, the carried value and the value that the cell computed.
  private func states(_ trial: WindowTrial, training: Bool) -> [(held: Matrix, computed: Matrix)] {
    trial.run(training: training)
    let plan = trial.model.plan
    // A gradient overwrites no state.
    let pass = trial.tape.pass(
      over: trial.batch, weights: trial.weights,
      gradient: training ? trial.gradient : nil)
    return plan.states.filter { plan.name(of: $0).contains("held") }.map { held in
      let own = plan.name(of: held).replacing("held_", with: "")
      return (pass[held], pass[plan.states.first { plan.name(of: $0) == own }!])
    }
  }

  @Test func `keeps the old value of about as many units as it should, others not at all`() {
    let trial = trial()
    trial.fill(window: 0, steps: Self.steps)
    let found = states(trial, training: true)
    #expect(found.count == 2, "the memory and the output")
    var masks: [[Bool]] = []
    for (held, computed) in found {
      for row in WindowTrial.streams..<held.rows {
        let (now, old, new) = (held[row], held[row - WindowTrial.streams], computed[row])
        masks.append((0..<Self.hidden).map { now[$0] == old[$0] })
        for j in 0..<Self.hidden { #expect(now[j] == old[j] || now[j] == new[j]) }
      }
    }
    #expect(Set(masks).count == masks.count, "masks differ from step to step and state to state")
    let kept = masks.joined().count { $0 }
    let units = Double(masks.count * Self.hidden)
    let spread = (Self.rate * (1 - Self.rate) * units).squareRoot()
    #expect(abs(Double(kept) - Self.rate * units) < 5 * spread)
  }

  @Test func `mixes old and new in evaluation`() {
    let trial = trial()
    trial.fill(window: 0, steps: Self.steps)
    for (held, computed) in states(trial, training: false) {
      for row in WindowTrial.streams..<held.rows {
        for j in 0..<Self.hidden {
          let old = Double(held[row - WindowTrial.streams, j])
          let mean = Self.rate * old + (1 - Self.rate) * Double(computed[row, j])
          #expect(abs(Double(held[row, j]) - mean) < 1e-6)
        }
      }
    }
  }

  /// Which units keep their old value, state by state: row t · streams + s from step 1 on.
  private func kept(
    layers: Int = 1, firstStream: Int = 0, position: Int = 0, epoch: Int = 1
  ) -> [[[Bool]]] {
    let trial = trial(layers: layers)
    trial.fill(window: 0, steps: Self.steps, firstStream: firstStream)
    (trial.batch.position, trial.batch.epoch) = (position, epoch)
    return states(trial, training: true).map { held, _ in
      (WindowTrial.streams..<held.rows).map { row in
        (0..<Self.hidden).map { held[row, $0] == held[row - WindowTrial.streams, $0] }
      }
    }
  }

  @Test func `masks follow the stream, the position and the epoch, and differ between layers`() {
    let masks = kept()
    #expect(kept() == masks)
    let another = kept(epoch: 2)
    let later = kept(position: 1)
    let neighbour = kept(firstStream: 1)
    for (k, own) in masks.enumerated() {
      #expect(Set(own).isDisjoint(with: another[k]), "another epoch")
      #expect(
        later[k].dropLast(WindowTrial.streams) == own.dropFirst(WindowTrial.streams),
        "one step later")
      // Stream 0 of those that are counted from 1 is stream 1.
      let (here, there) = (
        stride(from: 1, to: own.count, by: 2), stride(from: 0, to: own.count, by: 2)
      )
      #expect(there.map { neighbour[k][$0] } == here.map { own[$0] }, "another first stream")
    }
    let deep = Array(kept(layers: 2).joined())
    #expect(Set(deep).count == deep.count && deep.count == 2 * masks.joined().count)
  }
}
