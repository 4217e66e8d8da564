internal import LinearAlgebra

/// Dropout on the state that the products of a step read, with one mask for all steps of a window
/// of a stream, or of a sequence (Gal 2016): `m ∘ h(t−1) / (1 − rate)`.
///
/// A state that a cell carries over without a product, as a GRU does, is not masked: over many
/// steps the factor 1/(1 − rate) would grow without bound.
struct RecurrentDropout: Sendable {
  private let rate: Double
  private let random: Philox

  init(_ rate: Double, of state: Activation, seed: UInt64, in plan: inout Plan) {
    precondition(rate > 0 && rate < 1, "dropout of \(rate)")
    self.rate = rate
    random = Philox(seed: seed, name: "\(plan.scope.layer) \(plan.name(of: state)) dropout")
    plan.maskReads(of: state)
  }

  func addMasked(_ source: Matrix, to destination: Matrix, _ pass: Pass) {
    let batch = pass.batch
    for s in 0..<pass.streams {
      random.addMasked(
        source[s], to: destination[s], rate: rate, stream: Int(batch.keys.elements()[s]),
        position: batch.position - batch.origin, epoch: batch.epoch)
    }
  }
}
