internal import LinearAlgebra
public import Sequences

/// Measures how far back gradients reach, how many gates are saturated, and the spectral radius of
/// the recurrent weights.
///
/// A window runs forward and backward with one target per stream, its last. The gradient of that
/// loss with respect to the state k steps earlier is then seen by itself: `‖∂L(t)/∂h(t−k)‖` against
/// the lag k is the curve that shows gradients vanish or explode (Hochreiter 1991; Bengio, Simard &
/// Frasconi 1994; Pascanu, Mikolov & Bengio 2013).
public struct GradientDiagnosis {
  /// The findings for one recurrent layer.
  public struct Layer: Sendable {
    public let name: String
    /// ‖∂L(t)/∂h(t−k)‖ for k = 0, 1, …, averaged over streams; empty if the layer's output is not a
    /// state. In an encoder, k counts back from the last step of the source.
    public let lags: [Double]
    /// The fractions of each gate's values that are below 0.1 and above 0.9.
    public let gates: [(name: String, below: Double, above: Double)]
    /// The largest absolute eigenvalue of the transition from one state to the next; nil without
    /// recurrent weights.
    public let spectralRadius: Double?
  }

  private let probes: [Probe]
  /// The most steps of a window and of a source.
  private let steps: Int

  public init(of model: any Model, steps: Int) {
    probes = model.probes
    self.steps = steps
  }

  /// Sums before any window was measured: all zeros.
  public var zero: [Double] {
    [Double](repeating: 0, count: probes.reduce(0) { $0 + 2 * steps + 3 * $1.gates.count })
  }

  /// Runs one window forward and backward and returns sums, which may be added over windows and
  /// ranks.
  ///
  /// Restores the batch and leaves the carried state of the tape unchanged. The caller clears the
  /// gradient.
  public func measure(
    _ model: any Model, _ batch: Batch, on tape: Tape, weights: ParameterVector,
    gradient: ParameterVector
  ) -> [Double] {
    var sums = zero
    let (last, others) = keepLastTargets(of: batch)
    defer { for (row, target) in others { batch.targets.elements()[row] = target } }
    let pass = tape.begin(batch, weights: weights, gradient: gradient)
    model.forward(pass)
    var place = 0
    for probe in probes {
      place += 2 * steps
      for gate in probe.gates {
        count(gate, pass.along(probe.axis), into: &sums, at: place)
        place += 3
      }
    }
    model.backward(pass)
    place = 0
    for probe in probes {
      if let state = probe.state {
        let own = pass.along(probe.axis)
        for case (let s, let t?) in last.enumerated() {
          let end = probe.axis == .source ? Int(own.batch.lengths.elements()[s]) - 1 : t
          for k in 0..<end + 1 {
            sums[place + k] += 1
            sums[place + steps + k] += own.d[state, end - k][s].squaredNorm.squareRoot()
          }
        }
      }
      place += 2 * steps + 3 * probe.gates.count
    }
    return sums
  }

  /// Computes the findings from sums over all windows and ranks.
  public func findings(_ sums: [Double], weights: ParameterVector) -> [Layer] {
    precondition(sums.count == zero.count, "\(sums.count) sums of \(zero.count)")
    var place = 0
    return probes.map { probe in
      // All windows may be shorter than the maximum.
      let seen = sums[place..<place + steps].prefix { $0 > 0 }
      let norms = sums[place + steps..<place + 2 * steps]
      place += 2 * steps
      let gates = probe.gates.map { gate in
        defer { place += 3 }
        let all = max(sums[place + 2], 1)
        return (name: gate.name, below: sums[place] / all, above: sums[place + 1] / all)
      }
      return Layer(
        name: probe.layer, lags: probe.state == nil ? [] : zip(norms, seen).map { $0 / $1 },
        gates: gates,
        spectralRadius: probe.spectralRadius(in: weights))
    }
  }

  /// Removes all targets except the last output of each stream; end-of-sequence does not count as
  /// one. Returns the step of each remaining target, and the removed targets.
  private func keepLastTargets(of batch: Batch) -> (last: [Int?], others: [(Int, Int32)]) {
    var last = [Int?](repeating: nil, count: batch.streams)
    var others: [(Int, Int32)] = []
    let targets = batch.targets.elements()
    for t in (0..<batch.steps).reversed() {
      for s in 0..<batch.streams {
        let row = t * batch.streams + s
        guard targets[row] != Batch.noTarget else { continue }
        if last[s] == nil, targets[row] != Batch.end {
          last[s] = t
        } else {
          others.append((row, targets[row]))
          targets[row] = Batch.noTarget
        }
      }
    }
    return (last, others)
  }

  /// Counts a gate's values below 0.1, its values above 0.9 and all its values, without padding.
  private func count(_ gate: GateBlock, _ pass: Pass, into sums: inout [Double], at place: Int) {
    let lengths = pass.batch.lengths.elements(count: pass.streams)
    for t in 0..<pass.steps {
      let values = pass[gate.activation, t]
      for s in 0..<pass.streams where t < Int(lengths[s]) {
        let row = values[s].part(gate.part, of: gate.count)
        for j in 0..<row.count {
          if row[j] < 0.1 { sums[place] += 1 }
          if row[j] > 0.9 { sums[place + 1] += 1 }
        }
        sums[place + 2] += Double(row.count)
      }
    }
  }
}
