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
/// keeps half of what the rank has learnt meanwhile (Streaming DiLoCo; Douillard et al. 2025). Moments of the
/// optimizer stay with their rank.
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
  private let sums: [(count: Int, sum: any PendingSum)]
  /// The mean of some vector over ranks, and the sums that make it.
  private let averaged: ParameterVector
  private let averagedSums: [(count: Int, sum: any PendingSum)]
  /// True from the start of the sums until `change` holds the mean.
  private var isTravelling = false
  /// True from the start of the sums until the outer step.
  private var isOpen = false
  /// The bytes that this rank sends in a round.
  private let bytesOfRound: Int
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
    sums = change.makeSums(wire: wire, in: world)
    averagedSums = averaged.makeSums(wire: .float32, in: world)
    let width = wire == .bfloat16 ? 2 : MemoryLayout<Real>.stride
    bytesOfRound = world.bytesSent(summing: change.buffer.count * width)
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
  func begin(from weights: ParameterVector) { copy(weights, to: start) }

  /// Waits for changes that are under way, so that `stateTensors` can be saved. Collective.
  func settle() throws(CommunicationError) {
    guard isTravelling else { return }
    for (_, sum) in sums { try sum.wait() }
    isTravelling = false
    let count = Real(1) / Real(world.size)
    change.update { scale($0.row, count) }
  }

  /// Goes on with restored state tensors, if there were any: a change that is not zero waits for its outer
  /// step.
  package func resume() { isOpen = change.buffer.elements().contains { $0 != 0 } }

  /// Does what is due after a step: starts the sum of changes at the end of a round, and takes the outer
  /// step when they have arrived. Collective.
  /// - Parameter step: The number of steps so far.
  package func finishStep(_ step: Int, _ weights: ParameterVector) throws(CommunicationError) {
    traffic = Traffic()
    let place = step % options.every
    if place == 0 {
      change.update { subtract(weights.row, start.row, into: $0.row) }
      let clock = ContinuousClock.now
      for (count, sum) in sums { try sum.start(count: count) }
      traffic.bytes = bytesOfRound
      (isTravelling, isOpen) = (true, true)
      traffic.seconds = (ContinuousClock.now - clock) / .seconds(1)
    }
    guard isOpen, place == options.overlap else { return }
    try settle()
    move(weights)
    change.update { $0.buffer.clear() }
    isOpen = false
  }

  /// Takes the outer step with the mean change.
  private func move(_ weights: ParameterVector) {
    let (rate, momentum) = (Real(options.rate), Real(momentum))
    start.update { start in
      switch options.rule {
      case .average: add(change.row, to: start.row)
      case .blockMomentum:
        velocity!.update { blend(change.row, rate, into: $0.row, momentum) }
        add(velocity!.row, to: start.row)
      case .nesterov:
        velocity!.update { blend(change.row, -1, into: $0.row, momentum) }
        stepNesterov(start.row, velocity!.row, change.row, rate, momentum)
      }
    }
    weights.update { weights in
      if options.overlap == 0 {
        weights.buffer.copy(from: start.buffer)
      } else {
        mix(start.row, into: weights.row)
      }
    }
  }

  /// Returns the mean of a vector over ranks, in memory that the next call overwrites. Collective.
  func mean(of vector: ParameterVector) throws(CommunicationError) -> ParameterVector {
    copy(vector, to: averaged)
    for (count, sum) in averagedSums { try sum.start(count: count) }
    for (_, sum) in averagedSums { try sum.wait() }
    let count = Real(1) / Real(world.size)
    averaged.update { scale($0.row, count) }
    return averaged
  }

  private func copy(_ vector: ParameterVector, to other: ParameterVector) {
    other.update { $0.buffer.copy(from: vector.buffer) }
  }
}

extension ParameterVector {
  /// All numbers as one row.
  fileprivate var row: Row { Matrix(buffer, rows: 1, columns: buffer.count)[0] }

  /// Makes sums of all numbers, in pieces.
  func makeSums(
    wire: Precision, in world: any Communicator
  ) -> [(count: Int, sum: any PendingSum)] {
    let most = LayerwiseReducer.bucketBytes / MemoryLayout<Real>.stride
    return stride(from: 0, to: buffer.count, by: most).map { first in
      let count = min(most, buffer.count - first)
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
