import Glibc
import LinearAlgebra
import Recurrence
import Sequences
import Testing

@Suite struct `Kept steps` {
  /// New steps of an update, and the most that are kept.
  static let shapes = [(2, 3), (1, 4), (3, 1), (3, 2), (4, 0)]

  @Test(arguments: shapes)
  func `give the gradient of the window's last steps where weights stand still`(
    new: Int, most: Int
  ) {
    // Where documents begin: (position, stream).
    for resets in [[], [(3, 0), (6, 1), (7, 1)]] {
      forEveryLayer { what, layer in
        let steps = new + most
        let (trial, whole) = (
          WindowTrial(layer, steps: steps, keepsEveryStep: true),
          WindowTrial(layer, steps: steps, keepsEveryStep: true)
        )
        let kept = OverlappingWindows(
          most, of: WindowSize(steps: steps, streams: WindowTrial.streams), on: trial.tape)
        var old = 0
        for start in stride(from: 0, to: 4 * new, by: new) {
          fill(trial, start..<start + new, resets)
          trial.gradient.clear()
          kept.differentiate(
            trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
          let loss = trial.tape.loss.sum
          kept.carryStates()
          // The same window in one piece, after everything before it.
          whole.tape.clearCarried()
          for t in 0..<start - old {
            fill(whole, t..<t + 1, resets)
            whole.run(training: true)
            whole.tape.carryStates()
          }
          fill(whole, start - old..<start + new, resets)
          var expected = whole.run(training: true)
          let difference = ParameterVector(whole.weights.layout)
          difference.buffer.copy(from: whole.gradient.buffer)
          if old > 0 {
            // Without the part of the losses of old steps, which reaches no further than these.
            fill(whole, start - old..<start, resets)
            expected -= whole.run(training: true)
            for (k, g) in whole.gradient.buffer.elements().enumerated() {
              difference.buffer.elements()[k] -= g
            }
          }
          #expect(abs(loss - expected) < tolerance * abs(expected), "\(what)")
          let error = distance(trial.gradient, difference)
          #expect(error < tolerance, "\(what) at \(start): off by \(error)")
          old = min(most, old + new)
          #expect(kept.count == old)
        }
      }
    }
  }

  /// Rounding, of sums in another order.
  private var tolerance: Double { Real.ulpOfOne < 1e-10 ? 1e-9 : 1e-3 }

  private func distance(_ a: ParameterVector, _ b: ParameterVector) -> Double {
    var (difference, size) = (0.0, 0.0)
    for (x, y) in zip(a.buffer.elements(), b.buffer.elements()) {
      difference += Double((x - y) * (x - y))
      size += Double(y * y)
    }
    return (difference / max(size, 1e-300)).squareRoot()
  }

  private func fill(_ trial: WindowTrial, _ range: Range<Int>, _ resets: [(Int, Int)]) {
    trial.fill(
      window: 0, steps: range.count, firstStream: 3, from: range.lowerBound,
      resets: resets.filter { range.contains($0.0) }.map { ($0.0 - range.lowerBound, $0.1) })
    // What zoneout is keyed by on the way back has to be what it was keyed by on the way there.
    trial.batch.epoch = 2
  }

  @Test func `are plain windows bit for bit where none is kept`() {
    forEveryLayer { what, layer in
      let (plain, trial) = (
        WindowTrial(layer, keepsEveryStep: true), WindowTrial(layer, keepsEveryStep: true)
      )
      let kept = OverlappingWindows(
        0, of: WindowSize(steps: WindowTrial.steps, streams: WindowTrial.streams), on: trial.tape)
      for window in 0..<3 {
        for each in [plain, trial] {
          each.fill(window: window, resets: window == 1 ? [(2, 1)] : [])
          // Copies of what steps see, in every window.
          each.batch.hasResets = true
        }
        plain.run(training: true)
        plain.tape.carryStates()
        trial.gradient.clear()
        kept.differentiate(
          trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
        kept.carryStates()
        #expect(plain.tape.loss.sum == trial.tape.loss.sum, "\(what)")
        #expect(
          Array(plain.gradient.buffer.elements()) == Array(trial.gradient.buffer.elements()),
          "\(what)")
      }
    }
  }

  @Test func `keep the values of the weights that they were computed with`() throws {
    let (new, most) = (2, 3)
    let trial = WindowTrial(
      "elman", Elman.self, Elman.Options(hidden: WindowTrial.hidden), steps: new + most)
    let kept = OverlappingWindows(
      most, of: WindowSize(steps: new + most, streams: WindowTrial.streams), on: trial.tape)
    let entry = try #require(trial.weights.layout.entry(named: "rnn.weight_hh_l0"))
    let plain = PlainElman(trial)
    // h before the first step, then h after each.
    var states = [
      [[Double]](repeating: [Double](repeating: 0, count: WindowTrial.hidden), count: 2)
    ]
    for start in stride(from: 0, to: 8, by: new) {
      fill(trial, start..<start + new, [])
      trial.gradient.clear()
      kept.differentiate(
        trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
      let old = kept.count
      kept.carryStates()
      var expected = [Double](repeating: 0, count: entry.count)
      var ends: [[Double]] = []
      for s in 0..<WindowTrial.streams {
        var own = states.map { $0[s] }
        for t in 0..<new {
          own.append(plain.next(own[own.count - 1], trial.batch.inputs.elements()[t * 2 + s]))
        }
        ends += own.suffix(new)
        var carried = [Double](repeating: 0, count: WindowTrial.hidden)
        for t in (0..<old + new).reversed() {
          // The state after this step lies at the end of what there is.
          let h = own[own.count - (old + new) + t]
          let past = own[own.count - (old + new) + t - 1]
          if t >= old {
            let target = trial.batch.targets.elements()[(t - old) * 2 + s]
            carried = zip(carried, plain.slope(h, target)).map { $0 + $1 }
          }
          let da = zip(carried, h).map { $0 * (1 - $1 * $1) }
          for i in 0..<WindowTrial.hidden {
            for j in 0..<WindowTrial.hidden {
              expected[i * WindowTrial.hidden + j] += da[i] * past[j]
            }
          }
          carried = plain.back(da)
        }
      }
      for t in 0..<new { states.append((0..<WindowTrial.streams).map { ends[$0 * new + t] }) }
      let found = trial.gradient.elements(of: entry).map { Double($0) }
      let size = expected.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let error = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        .squareRoot()
      #expect(error < tolerance * size, "at \(start): \(error) of \(size)")
      // A large step, so that values computed anew would show.
      trial.weights.update { weights in
        for entry in weights.layout.entries where entry.name.hasPrefix("rnn.") {
          let (w, g) = (weights.elements(of: entry), trial.gradient.elements(of: entry))
          for k in 0..<entry.count { w[k] -= 0.3 * g[k] }
        }
      }
    }
  }

  @Test func `go on from what was told of them, stream by stream`() {
    let (new, most) = (2, 3)
    forEveryLayer { what, layer in
      let size = WindowSize(steps: new + most, streams: WindowTrial.streams)
      let (trial, other) = (
        WindowTrial(layer, steps: size.steps, keepsEveryStep: true),
        WindowTrial(layer, steps: size.steps, keepsEveryStep: true)
      )
      let kept = OverlappingWindows(most, of: size, on: trial.tape)
      let taken = OverlappingWindows(most, of: size, on: other.tape)
      func step(_ trial: WindowTrial, _ kept: OverlappingWindows, _ start: Int) {
        fill(trial, start..<start + new, [(1, 0), (2, 0), (4, 1)])
        trial.gradient.clear()
        kept.differentiate(
          trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
        kept.carryStates()
      }
      for start in [0, 2] { step(trial, kept, start) }
      let tensors = kept.streamTensors(trial.model.plan, keptSteps: kept.keptSteps)
      taken.restore(
        tensors, kept.values(of: tensors, streams: WindowTrial.streams), keptSteps: kept.keptSteps,
        streams: WindowTrial.streams)
      step(trial, kept, 4)
      step(other, taken, 4)
      #expect(
        Array(trial.gradient.buffer.elements()) == Array(other.gradient.buffer.elements()),
        "\(what)")
    }
  }

  @Test func `that are left out leave the state at the end of the window before`() {
    forEveryLayer { what, layer in
      let size = WindowSize(steps: 5, streams: WindowTrial.streams)
      let (trial, plain) = (
        WindowTrial(layer, steps: 5, keepsEveryStep: true),
        WindowTrial(layer, steps: 5, keepsEveryStep: true)
      )
      let kept = OverlappingWindows(3, of: size, on: trial.tape)
      for start in [0, 2, 4] {
        fill(trial, start..<start + 2, [])
        kept.differentiate(
          trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
        if start < 4 { kept.carryStates() } else { kept.discard() }
      }
      fill(plain, 0..<4, [])
      plain.batch.hasResets = true
      plain.run(training: true)
      plain.tape.carryStates()
      for each in [trial, plain] { fill(each, 6..<8, []) }
      trial.gradient.clear()
      kept.differentiate(
        trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
      plain.run(training: true)
      let error = distance(trial.gradient, plain.gradient)
      #expect(error < tolerance, "\(what): off by \(error)")
    }
  }

  @Test func `are forgotten where all streams begin anew`() {
    let layer = LayerOptions(.recurrent(cell: "skip", Skip.Options(hidden: 5, delays: [2])))
    let trial = WindowTrial(layer, steps: 5, keepsEveryStep: true)
    let kept = OverlappingWindows(
      3, of: WindowSize(steps: 5, streams: WindowTrial.streams), on: trial.tape)
    var gradients: [[Real]] = []
    for _ in 0..<2 {
      for start in [0, 2] {
        fill(trial, start..<start + 2, [])
        trial.gradient.clear()
        kept.differentiate(
          trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
        kept.carryStates()
        gradients.append(Array(trial.gradient.buffer.elements()))
      }
      kept.clear()
      #expect(kept.count == 0)
    }
    #expect(gradients[0] == gradients[2] && gradients[1] == gradients[3])
  }
}

/// An `elman` layer between an embedding and an output layer in double precision, with the weights as they
/// are at each call.
private struct PlainElman {
  let trial: WindowTrial

  init(_ trial: WindowTrial) { self.trial = trial }

  private func matrix(_ name: String) -> [[Double]] {
    let entry = trial.weights.layout.entry(named: name)!
    let numbers = trial.weights.elements(of: entry)
    return (0..<entry.rows).map { i in
      (0..<entry.columns).map { Double(numbers[i * entry.columns + $0]) }
    }
  }

  private func times(_ m: [[Double]], _ x: [Double]) -> [Double] {
    m.map { zip($0, x).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  private func times(_ x: [Double], _ m: [[Double]]) -> [Double] {
    m[0].indices.map { j in x.indices.reduce(0) { $0 + x[$1] * m[$1][j] } }
  }

  func next(_ h: [Double], _ symbol: Int32) -> [Double] {
    let x = times(matrix("rnn.weight_ih_l0"), matrix("encoder.weight")[Int(symbol)])
    let r = times(matrix("rnn.weight_hh_l0"), h)
    let (b, b2) = (matrix("rnn.bias_ih_l0")[0], matrix("rnn.bias_hh_l0")[0])
    return h.indices.map { Glibc.tanh(x[$0] + r[$0] + b[$0] + b2[$0]) }
  }

  /// The derivative of the loss with respect to h.
  func slope(_ h: [Double], _ target: Int32) -> [Double] {
    let v = matrix("decoder.weight")
    let l = zip(times(v, h), matrix("decoder.bias")[0]).map { Glibc.exp($0 + $1) }
    let total = l.reduce(0, +)
    let dl = l.indices.map { l[$0] / total - ($0 == Int(target) ? 1 : 0) }
    return times(dl, v)
  }

  /// The derivative with respect to the state before, from that of the preactivation.
  func back(_ da: [Double]) -> [Double] { times(da, matrix("rnn.weight_hh_l0")) }
}
