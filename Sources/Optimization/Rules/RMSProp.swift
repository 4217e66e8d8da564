internal import LinearAlgebra
public import Recurrence

/// RMSProp: the gradient divided by a running root mean square of itself.
///
///     g ← scale · gradient + λ w
///     v ← α v + (1 − α) g²
///     a ← a + (1 − α)(g − a)                       (centered)
///     d = g / (√v + ε)                             centered: d = g / (√(v − a²) + ε)
///     w ← w − η d                                  with momentum: b ← μ b + d, w ← w − η b
///
/// η is the learning rate, μ `momentum`, λ `weight_decay`
/// (Tieleman & Hinton 2012; centered: Graves 2013; PyTorch's `RMSprop`).
public final class RMSProp: Optimizer {
  public struct Options: OptimizerOptions {
    public var alpha = 0.99
    public var epsilon = 1e-8
    public var momentum = 0.0
    public var centered = false
    public var weightDecay = 0.0
    public var decay = DecayScope.all

    private enum CodingKeys: String, CodingKey {
      case alpha, epsilon, momentum, centered, decay
      case weightDecay = "weight_decay"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      alpha = try container.decodeShare(.alpha, or: alpha)
      epsilon = try container.decodeEpsilon(.epsilon, or: epsilon)
      momentum = try container.decodeShare(.momentum, or: momentum)
      centered = try container.decodeIfPresent(Bool.self, forKey: .centered) ?? centered
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      decay = try container.decodeDecayScope(.decay)
    }
  }

  public var updates = 0
  private let options: Options
  private let square: ParameterVector
  private let mean, momentum: ParameterVector?

  public init(_ options: Options, layout: ParameterLayout) {
    self.options = options
    square = ParameterVector(layout)
    mean = options.centered ? ParameterVector(layout) : nil
    momentum = options.momentum > 0 ? ParameterVector(layout) : nil
  }

  public var moments: [(name: String, vector: ParameterVector)] {
    var moments = [(name: "square_avg", vector: square)]
    if let mean { moments.append(("grad_avg", mean)) }
    if let momentum { moments.append(("momentum_buffer", momentum)) }
    return moments
  }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    weights.updateLearnt(gradient: gradient) { entry, numbers in
      let k = Step(
        rate: Real(rate * entry.rateFactor), scale: Real(scale),
        decay: Real(options.weightDecay(of: entry)), kept: Real(options.alpha),
        share: Real(1 - options.alpha), epsilon: Real(options.epsilon),
        momentum: Real(options.momentum))
      let w = weights.row(numbers), g = gradient.row(numbers), v = square.row(numbers)
      switch (mean?.row(numbers), momentum?.row(numbers)) {
      case (nil, nil): descend(w, g, v, k)
      case (nil, let b?): roll(w, g, v, b, k)
      case (let a?, nil): descend(w, g, v, mean: a, k)
      case (let a?, let b?): roll(w, g, v, mean: a, b, k)
      }
    }
    updates += 1
  }
}

private struct Step {
  let rate, scale, decay, kept, share, epsilon, momentum: Real
}

@inline(never) private func descend(_ w: Row, _ g: Row, _ v: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.decay * w[j]
    let square = k.kept * v[j] + k.share * gradient * gradient
    v[j] = square
    w[j] -= k.rate * gradient / (root(square) + k.epsilon)
  }
}

@inline(never) private func roll(_ w: Row, _ g: Row, _ v: Row, _ b: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.decay * w[j]
    let square = k.kept * v[j] + k.share * gradient * gradient
    let buffer = k.momentum * b[j] + gradient / (root(square) + k.epsilon)
    v[j] = square
    b[j] = buffer
    w[j] -= k.rate * buffer
  }
}

@inline(never) private func descend(_ w: Row, _ g: Row, _ v: Row, mean a: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.decay * w[j]
    let square = k.kept * v[j] + k.share * gradient * gradient
    let mean = a[j] + k.share * (gradient - a[j])
    v[j] = square
    a[j] = mean
    w[j] -= k.rate * gradient / (root(square - mean * mean) + k.epsilon)
  }
}

@inline(never) private func roll(
  _ w: Row, _ g: Row, _ v: Row, mean a: Row, _ b: Row, _ k: Step
) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.decay * w[j]
    let square = k.kept * v[j] + k.share * gradient * gradient
    let mean = a[j] + k.share * (gradient - a[j])
    let buffer = k.momentum * b[j] + gradient / (root(square - mean * mean) + k.epsilon)
    v[j] = square
    a[j] = mean
    b[j] = buffer
    w[j] -= k.rate * buffer
  }
}
