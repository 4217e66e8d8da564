package import Collectives
package import Configuration
package import LinearAlgebra
package import Recurrence

/// Outer steps: each rank trains alone for a round of steps, then all move by the mean Δ of their changes.
///
///     Δ = mean of θᵢ − θ,   θ ← the rule's step from θ with Δ,   θᵢ ← θ
///
/// θ are the weights at which a round began, θᵢ those of rank i at its end; `OuterOptions.Rule` has the
/// rules. With overlap the changes travel during the first τ steps of the next round, and then θᵢ ← (θᵢ + θ)/2
/// keeps half of what the rank has learnt meanwhile. With F fragments the weights are cut into F equal pieces,
/// and piece f has its outer steps f · every/F steps later than the first, so that a round's bytes are spread
/// over it (both: Streaming DiLoCo; Douillard et al. 2025). Moments of the optimizer stay with their rank.
package final class OuterSteps {
  private let options: OuterOptions
  private let world: any Communicator
  private let momentum: Double
  /// θ
  let start: ParameterVector
  /// D or v of the rule; nil for an average.
  let velocity: ParameterVector?
  /// This rank's change; then, until it is used, the mean change of all ranks; zero afterwards.
  let change: ParameterVector
  /// A piece of the weights that has outer steps of its own.
  private struct Fragment {
    let range: Range<Int>
    /// The step of a round after which its changes are sent, from 0.
    let phase: Int
    let sums: [(count: Int, sum: any PendingSum)]
    /// True from the start of the sums until `change` holds the mean.
    var isTravelling = false
    /// True from the start of the sums until the outer step.
    var isOpen = false
  }

  private var fragments: [Fragment]
  /// The mean of some vector over ranks, and the sums that make it.
  private let averaged: ParameterVector
  private let averagedSums: [(count: Int, sum: any PendingSum)]
  /// The bytes of a number in a sum.
  private let width: Int
  private(set) var traffic = Traffic()

  /// - Parameters:
  ///   - weights: The weights of this rank, which are those of all ranks when the run begins.
  ///   - wire: The number format in which changes travel.
  package init(
    _ options: OuterOptions, of weights: ParameterVector, wire: Precision,
    in world: any Communicator
  ) {
    self.options = options
    self.world = world
    momentum = options.momentum(ranks: world.size)
    start = ParameterVector(weights.layout)
    velocity = options.rule == .average ? nil : ParameterVector(weights.layout)
    change = ParameterVector(weights.layout)
    averaged = ParameterVector(weights.layout)
    averaged.precision = weights.precision
    averaged.rowsAreIndependent = weights.rowsAreIndependent
    averagedSums = averaged.makeSums(of: 0..<averaged.buffer.count, wire: .float32, in: world)
    width = wire == .bfloat16 ? 2 : MemoryLayout<Real>.stride
    let (count, all) = (options.fragments, change.buffer.count)
    fragments = (0..<count).map { [change] number in
      let range = number * all / count..<(number + 1) * all / count
      return Fragment(
        range: range, phase: number * options.every / count,
        sums: change.makeSums(of: range, wire: wire, in: world))
    }
    begin(from: weights)
  }

  /// The tensors that are the same on every rank at any time.
  var agreedTensors: [(name: String, vector: ParameterVector)] {
    [("start", start)] + (velocity.map { [("velocity", $0)] } ?? [])
  }

  /// The tensors that are the same on every rank once changes have arrived.
  var stateTensors: [(name: String, vector: ParameterVector)] {
    agreedTensors + (options.overlap > 0 ? [("change", change)] : [])
  }

  /// Begins the first round with other weights.
  func begin(from weights: ParameterVector) {
    copy(weights, to: start)
    for vector in [velocity, change].compactMap(\.self) { vector.update { $0.buffer.clear() } }
  }

  /// Waits for changes that are under way, so that `stateTensors` can be saved. Collective.
  func settle() throws(CommunicationError) {
    for number in fragments.indices { try settle(number) }
  }

  private func settle(_ number: Int) throws(CommunicationError) {
    guard fragments[number].isTravelling else { return }
    for (_, sum) in fragments[number].sums { try sum.wait() }
    fragments[number].isTravelling = false
    let count = Real(1) / Real(world.size)
    change.update { scale($0.row(fragments[number].range), count) }
  }

  /// Goes on with restored state tensors, if there were any: a change that is not zero waits for its outer
  /// step.
  package func resume() {
    for (number, fragment) in fragments.enumerated() {
      fragments[number].isOpen = change.buffer.elements()[fragment.range].contains { $0 != 0 }
    }
  }

  /// Does what is due after a step: starts the sum of changes at the end of a round, and takes the outer
  /// step when they have arrived. Collective.
  /// - Parameter step: The number of steps so far.
  package func finishStep(_ step: Int, _ weights: ParameterVector) throws(CommunicationError) {
    traffic = Traffic()
    for (number, fragment) in fragments.enumerated() where step >= fragment.phase {
      let place = (step - fragment.phase) % options.every
      if place == 0 && step > 0 {
        // A run that was resumed with another round may still hold a change.
        if fragment.isOpen { try move(number, weights) }
        change.update {
          subtract(
            weights.row(fragment.range), start.row(fragment.range), into: $0.row(fragment.range))
        }
        let clock = ContinuousClock.now
        for (count, sum) in fragment.sums { try sum.start(count: count) }
        traffic.bytes += world.bytesSent(summing: fragment.range.count * width)
        (fragments[number].isTravelling, fragments[number].isOpen) = (true, true)
        traffic.seconds += (ContinuousClock.now - clock) / .seconds(1)
      }
      if fragments[number].isOpen, place == options.overlap { try move(number, weights) }
    }
  }

  /// Takes the outer step of a fragment with the mean change, once it has arrived.
  private func move(_ number: Int, _ weights: ParameterVector) throws(CommunicationError) {
    try settle(number)
    let range = fragments[number].range
    let (rate, momentum) = (Real(options.rate), Real(momentum))
    let change = change.row(range)
    start.update { start in
      let start = start.row(range)
      switch options.rule {
      case .average: add(change, to: start)
      case .blockMomentum:
        velocity!.update { blend(change, rate, into: $0.row(range), momentum) }
        add(velocity!.row(range), to: start)
      case .nesterov:
        velocity!.update { blend(change, -1, into: $0.row(range), momentum) }
        stepNesterov(start, velocity!.row(range), change, rate, momentum)
      }
    }
    weights.update { weights in
      if options.overlap == 0 {
        weights.row(range).copy(start.row(range))
      } else {
        mix(start.row(range), into: weights.row(range))
      }
    }
    self.change.update { $0.buffer.clear(range) }
    fragments[number].isOpen = false
  }

  /// Returns the mean of a vector over ranks, in memory that the next call overwrites. Collective.
  func mean(of vector: ParameterVector) throws(CommunicationError) -> ParameterVector {
    copy(vector, to: averaged)
    for (count, sum) in averagedSums { try sum.start(count: count) }
    for (_, sum) in averagedSums { try sum.wait() }
    let count = Real(1) / Real(world.size)
    averaged.update { scale($0.row(0..<$0.buffer.count), count) }
    return averaged
  }

  private func copy(_ vector: ParameterVector, to other: ParameterVector) {
    other.update { $0.buffer.copy(from: vector.buffer) }
  }
}

extension ParameterVector {
  /// Some of the numbers as one row.
  fileprivate func row(_ range: Range<Int>) -> Row {
    Matrix(buffer.start + range.lowerBound, rows: 1, columns: range.count)[0]
  }

  /// Makes sums of some of the numbers, in pieces.
  func makeSums(
    of range: Range<Int>, wire: Precision, in world: any Communicator
  ) -> [(count: Int, sum: any PendingSum)] {
    let most = LayerwiseReducer.bucketBytes / MemoryLayout<Real>.stride
    return stride(from: range.lowerBound, to: range.upperBound, by: most).map { first in
      let count = min(most, range.upperBound - first)
      return (count, world.makeSum(of: buffer.elements(from: first, count: count), wire: wire))
    }
  }
}

/// x ← s x
@inline(never) private func scale(_ x: Row, _ s: Real) {
  for j in 0..<x.count { x[j] *= s }
}

/// y = a − b
@inline(never) private func subtract(_ a: Row, _ b: Row, into y: Row) {
  for j in 0..<y.count { y[j] = a[j] - b[j] }
}

/// y ← y + x
@inline(never) private func add(_ x: Row, to y: Row) {
  for j in 0..<y.count { y[j] += x[j] }
}

/// v ← η v + s x
@inline(never) private func blend(_ x: Row, _ s: Real, into v: Row, _ momentum: Real) {
  for j in 0..<v.count { v[j] = momentum * v[j] + s * x[j] }
}

/// θ ← θ − ζ (η v − Δ)
@inline(never)
private func stepNesterov(_ theta: Row, _ v: Row, _ change: Row, _ rate: Real, _ momentum: Real) {
  for j in 0..<theta.count { theta[j] -= rate * (momentum * v[j] - change[j]) }
}

/// w ← (w + θ)/2
@inline(never) private func mix(_ theta: Row, into w: Row) {
  for j in 0..<w.count { w[j] = 0.5 * (w[j] + theta[j]) }
}
