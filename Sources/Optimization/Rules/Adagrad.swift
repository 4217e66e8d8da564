internal import LinearAlgebra
public import Recurrence

/// Adagrad: each weight's rate falls with the sum of its squared gradients.
///
///     g ← scale · gradient + λ w
///     s ← s + g²
///     w ← w − η/(1 + (t − 1) δ) · g / (√s + ε)
///
/// η is the learning rate, t the number of this update from 1, δ `learning_rate_decay`,
/// λ `weight_decay`; s starts at `initial_sum` (Duchi et al. 2011; PyTorch's `Adagrad`).
public final class Adagrad: Optimizer {
  public struct Options: OptimizerOptions {
    public var learningRateDecay = 0.0
    public var initialSum = 0.0
    public var epsilon = 1e-10
    public var weightDecay = 0.0
    public var decay = DecayScope.all

    private enum CodingKeys: String, CodingKey {
      case epsilon, decay
      case learningRateDecay = "learning_rate_decay"
      case initialSum = "initial_sum"
      case weightDecay = "weight_decay"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      learningRateDecay = try container.decodeNonNegative(.learningRateDecay, or: learningRateDecay)
      initialSum = try container.decodeNonNegative(.initialSum, or: initialSum)
      epsilon = try container.decodeEpsilon(.epsilon, or: epsilon)
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      decay = try container.decodeDecayScope(.decay)
    }
  }

  public var updates = 0
  private let options: Options
  private let sum: ParameterVector

  public init(_ options: Options, layout: ParameterLayout) {
    self.options = options
    sum = ParameterVector(layout)
    // Memory that is never written takes no room.
    if options.initialSum > 0 {
      for entry in layout.entries { sum[entry].fill(Real(options.initialSum)) }
    }
  }

  public var moments: [(name: String, vector: ParameterVector)] { [("sum", sum)] }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    let rate = rate / (1 + Double(updates) * options.learningRateDecay)
    // With ε = 0, a number whose sum is still zero would become 0/0.
    weights.updateLearnt(
      gradient: gradient,
      ignoresZeros: { options.weightDecay(of: $0) == 0 && Real(options.epsilon) > 0 }
    ) { entry, numbers in
      let step = Step(
        rate: Real(rate * entry.rateFactor), scale: Real(scale),
        decay: Real(options.weightDecay(of: entry)), epsilon: Real(options.epsilon))
      descend(weights.row(numbers), gradient.row(numbers), sum.row(numbers), step)
    }
    updates += 1
  }
}

private struct Step {
  let rate, scale, decay, epsilon: Real
}

@inline(never) private func descend(_ w: Row, _ g: Row, _ s: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.decay * w[j]
    let sum = s[j] + gradient * gradient
    s[j] = sum
    w[j] -= k.rate * gradient / (root(sum) + k.epsilon)
  }
}
