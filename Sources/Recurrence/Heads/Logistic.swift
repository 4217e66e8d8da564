public import LinearAlgebra

/// A logistic output for each of n labels, of which any number may be true. The loss is the
/// cross-entropy in nats, summed over the labels:
///
///     l = h W + b,   p = σ(l),   loss = −Σⱼ (vⱼ ln pⱼ + (1 − vⱼ) ln(1 − pⱼ)),   ∂l = p − v
public struct Logistic: Head {
  let layer: OutputLayer
  public var weight: Parameter { layer.weight }
  public var bias: Parameter? { layer.bias }

  /// - Parameters:
  ///   - width: The number of labels.
  ///   - input: The activation from which the logits are computed.
  ///   - hasBias: True if the logits have a trainable bias.
  ///   - plan: The plan that the parameters and activations are added to.
  public init(
    _ width: Int, reading input: Activation, bias hasBias: Bool = true, in plan: inout Plan
  ) {
    layer = OutputLayer(width, reading: input, bias: hasBias, in: &plan)
  }

  public func forward(_ pass: Pass) {
    let values = pass.batch.valueRows
    layer.forwardBiased(pass) { l, row in
      let loss = crossEntropy(l, values[row])
      if pass.isTraining { respond(l, values[row]) }
      return loss
    }
  }

  /// Returns the logits of every stream's labels at step t.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix { layer.outputs(at: t, pass) }
}

/// Returns Σ max(l, 0) − l v + ln(1 + exp(−|l|)), without overflow for any l.
@inline(never) private func crossEntropy(_ l: Row, _ v: Row) -> Double {
  var sum = 0.0
  for j in 0..<l.count {
    let size = l[j] < 0 ? -l[j] : l[j]
    sum += Double((l[j] > 0 ? l[j] : 0) - l[j] * v[j]) + logarithm(1 + exp(-size))
  }
  return sum
}
/// l = σ(l) − v
@inline(never) private func respond(_ l: Row, _ v: Row) {
  for j in 0..<l.count { l[j] = sigmoid(l[j]) - v[j] }
}
