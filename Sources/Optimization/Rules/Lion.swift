internal import LinearAlgebra
public import Recurrence

/// Lion: steps by the sign of a mean of gradients, with decoupled weight decay.
///
///     w ← (1 − η λ) w
///     w ← w − η sign(β₁ m + (1 − β₁) g)        g ← scale · gradient
///     m ← β₂ m + (1 − β₂) g
///
/// η is the learning rate, three to ten times smaller than Adam's, λ `weight_decay`, as many times larger
/// (Chen et al. 2023).
public final class Lion: Optimizer {
  public struct Options: OptimizerOptions {
    public var betas = Betas(mean: 0.9, square: 0.99)
    public var weightDecay = 0.0
    public var decay = DecayScope.all

    private enum CodingKeys: String, CodingKey {
      case betas, decay
      case weightDecay = "weight_decay"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      betas = try container.decodeIfPresent(Betas.self, forKey: .betas) ?? betas
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      decay = try container.decodeDecayScope(.decay)
    }
  }

  public var updates = 0
  private let options: Options
  private let mean: ParameterVector

  public init(_ options: Options, layout: ParameterLayout) {
    self.options = options
    mean = ParameterVector(layout)
  }

  public var moments: [(name: String, vector: ParameterVector)] { [("exp_avg", mean)] }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    weights.updateLearnt(gradient: gradient) { entry, numbers in
      let rate = rate * entry.rateFactor
      let step = Step(
        rate: Real(rate), scale: Real(scale),
        shrink: Real(1 - rate * options.decoupledDecay(of: entry)),
        share: Real(1 - options.betas.mean), meanShare: Real(1 - options.betas.square))
      descend(weights.row(numbers), gradient.row(numbers), mean.row(numbers), step)
    }
    updates += 1
  }
}

private struct Step {
  let rate, scale, shrink, share, meanShare: Real
}

@inline(never) private func descend(_ w: Row, _ g: Row, _ m: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j]
    let mixture = m[j] + k.share * (gradient - m[j])
    // A NaN is passed on.
    let sign: Real = mixture > 0 ? 1 : mixture < 0 ? -1 : mixture
    m[j] += k.meanShare * (gradient - m[j])
    w[j] = k.shrink * w[j] - k.rate * sign
  }
}
