internal import LinearAlgebra
public import Recurrence

/// AdEMAMix: AdamW with a second, slow mean of gradients beside the fast one.
///
///     g ← scale · gradient,   w ← (1 − η λ) w
///     m ← m + (1 − β₁)(g − m),   s ← s + (1 − β₃(t))(g − s),   v ← β₂ v + (1 − β₂) g²
///     w ← w − η (m/(1 − β₁ᵗ) + α(t) s) / (√(v/(1 − β₂ᵗ)) + ε)
///
/// η is the learning rate, t the number of this update from 1, λ `weight_decay`. With a warm-up of T updates
/// α(t) = min(t/T, 1) α, and β₃(t) rises from β₁ so that the half-life of the mean grows about linearly:
/// ln β₃(t) = ln β₁ ln β₃ / ((1 − t/T) ln β₃ + t/T ln β₁), at most ln β₃ (Pagliardini et al. 2024).
public final class AdEMAMix: Optimizer {
  public struct Options: OptimizerOptions {
    public var betas = Betas()
    /// β₃, for the slow average of the gradient.
    public var slow = 0.9999
    public var alpha = 5.0
    /// T, the number of updates over which α and β₃ rise; 0 for none.
    public var warmup = 0
    public var epsilon = 1e-8
    public var weightDecay = 0.0
    public var decay = DecayScope.all

    private enum CodingKeys: String, CodingKey {
      case betas, slow, alpha, warmup, epsilon, decay
      case weightDecay = "weight_decay"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      betas = try container.decodeIfPresent(Betas.self, forKey: .betas) ?? betas
      slow = try container.decodeShare(.slow, or: slow)
      alpha = try container.decodeNonNegative(.alpha, or: alpha)
      warmup = try container.decodeCount(.warmup, or: warmup)
      let means = (betas.mean, slow)
      _ = try container.decode(
        .warmup, or: warmup, "0: the slow mean begins with betas[0], and it and slow are above 0"
      ) { $0 == 0 || means.0 > 0 && means.1 > 0 }
      epsilon = try container.decodeEpsilon(.epsilon, or: epsilon)
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      decay = try container.decodeDecayScope(.decay)
    }

    /// Returns α(t) and β₃(t), with the same bits on every processor.
    func mixture(update: Int) -> (alpha: Double, slow: Double) {
      guard update < warmup else { return (alpha, slow) }
      let progress = Double(update) / Double(warmup)
      let (first, last) = (naturalLogarithm(betas.mean), naturalLogarithm(slow))
      let logarithm = first * last / ((1 - progress) * last + progress * first)
      return (alpha * progress, min(exponential(logarithm), slow))
    }
  }

  public var updates = 0
  private let options: Options
  private let fast, slow, square: ParameterVector

  public init(_ options: Options, layout: ParameterLayout) {
    self.options = options
    fast = ParameterVector(layout)
    slow = ParameterVector(layout)
    square = ParameterVector(layout)
  }

  public var moments: [(name: String, vector: ParameterVector)] {
    [("exp_avg", fast), ("exp_avg_slow", slow), ("exp_avg_sq", square)]
  }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    updates += 1
    let betas = options.betas
    let (alpha, slowKept) = options.mixture(update: updates)
    weights.updateLearnt(gradient: gradient) { entry, numbers in
      let rate = rate * entry.rateFactor
      let step = Step(
        scale: Real(scale), shrink: Real(1 - rate * options.decoupledDecay(of: entry)),
        fastShare: Real(1 - betas.mean), slowShare: Real(1 - slowKept),
        squareKept: Real(betas.square), squareShare: Real(1 - betas.square),
        unbias: Real(1 / (1 - power(betas.square, updates)).squareRoot()),
        fastUnbias: Real(1 / (1 - power(betas.mean, updates))), alpha: Real(alpha),
        epsilon: Real(options.epsilon), rate: Real(rate))
      adapt(
        weights.row(numbers), gradient.row(numbers), fast.row(numbers), slow.row(numbers),
        square.row(numbers), step)
    }
  }
}

private struct Step {
  let scale, shrink, fastShare, slowShare, squareKept, squareShare, unbias, fastUnbias, alpha,
    epsilon, rate: Real
}

@inline(never)
private func adapt(_ w: Row, _ g: Row, _ m: Row, _ s: Row, _ v: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j]
    let fast = m[j] + k.fastShare * (gradient - m[j])
    let slow = s[j] + k.slowShare * (gradient - s[j])
    let square = k.squareKept * v[j] + k.squareShare * gradient * gradient
    m[j] = fast
    s[j] = slow
    v[j] = square
    w[j] =
      k.shrink * w[j] - k.rate * (k.fastUnbias * fast + k.alpha * slow)
      / (root(square) * k.unbias + k.epsilon)
  }
}
