internal import LinearAlgebra
public import Recurrence

/// Adam with weight decay that acts on the weights alone, not through the moments.
///
///     w ← (1 − η λ) w, then an update of Adam without λ
///
/// η is the learning rate, λ `weight_decay`, 0.01 unless said otherwise
/// (Loshchilov & Hutter 2017; PyTorch's `AdamW`).
public final class AdamW: Optimizer {
  public struct Options: OptimizerOptions {
    public var betas = Betas()
    public var epsilon = 1e-8
    public var weightDecay = 0.01
    public var decay = DecayScope.all

    private enum CodingKeys: String, CodingKey {
      case betas, epsilon, decay
      case weightDecay = "weight_decay"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      betas = try container.decodeIfPresent(Betas.self, forKey: .betas) ?? betas
      epsilon = try container.decodeNonNegative(.epsilon, or: epsilon)
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      decay = try container.decodeDecayScope(.decay)
    }
  }

  public var updates = 0
  private let options: Options
  private let m, v: ParameterVector

  public init(_ options: Options, layout: ParameterLayout) {
    self.options = options
    m = ParameterVector(layout)
    v = ParameterVector(layout)
  }

  public var moments: [(name: String, vector: ParameterVector)] {
    [("exp_avg", m), ("exp_avg_sq", v)]
  }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    updates += 1
    weights.updateLearnt(gradient: gradient) { entry in
      let step = AdaptiveStep(
        rate: rate * entry.rateFactor, scale: scale, betas: options.betas,
        epsilon: options.epsilon, update: updates, penalty: 0,
        shrinkage: options.weightDecay(of: entry))
      adapt(weights.row(entry), gradient.row(entry), m.row(entry), v.row(entry), step)
    }
  }
}
