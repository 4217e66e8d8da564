internal import LinearAlgebra

/// Sets each number to zero with probability `rate` in training, and scales the others by 1/(1 −
/// rate): `y = m ∘ x / (1 − rate)`, on connections that are not recurrent (Zaremba 2014).
///
/// A mask is never stored. It is a function of the seed, the layer and (epoch, position in the
/// stream, global stream, unit), so it is the same in the backward pass, after a resume and for any
/// world size. Variational dropout keeps one mask for all steps of a window of a stream, or of a
/// sequence (Gal 2016).
public struct Dropout: Layer {
  public let output: Activation
  let input: Activation
  let rate: Double
  let isVariational: Bool
  let random: Philox

  /// - Parameters:
  ///   - rate: The probability of setting a number to zero, at least 0 and below 1.
  ///   - variational: True to keep one mask for all steps of a window of a stream, or of a
  ///     sequence.
  ///   - seed: The seed of the masks.
  ///   - name: The key of this layer's random numbers, besides the seed.
  ///   - input: The activation to drop numbers of.
  ///   - plan: The plan that the output is added to.
  public init(
    _ rate: Double, variational: Bool, seed: UInt64, name: String, reading input: Activation,
    in plan: inout Plan
  ) {
    precondition(rate >= 0 && rate < 1, "dropout of \(rate)")
    self.rate = rate
    isVariational = variational
    random = Philox(seed: seed, name: name + " dropout")
    self.input = input
    output = plan.activation(plan.width(input))
  }

  public func forward(_ pass: Pass) {
    guard pass.isTraining else { return pass[output].copy(pass[input]) }
    pass[output].fill(0)
    addMasked(pass[input], to: pass[output], pass)
  }

  public func backward(_ pass: Pass) { addMasked(pass.d[output], to: pass.d[input], pass) }

  private func addMasked(_ source: Matrix, to destination: Matrix, _ pass: Pass) {
    let batch = pass.batch
    let keys = batch.keys.elements(count: pass.streams)
    for t in 0..<pass.steps {
      for s in 0..<pass.streams {
        let row = t * pass.streams + s
        random.addMasked(
          source[row], to: destination[row], rate: rate, stream: Int(keys[s]),
          position: batch.position + (isVariational ? -batch.origin : t), epoch: batch.epoch)
      }
    }
  }
}
