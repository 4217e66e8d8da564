internal import LinearAlgebra
public import Recurrence

/// Stochastic gradient descent, with optional momentum and Nesterov momentum.
///
///     g ← scale · gradient + λ w
///     b ← μ b + (1 − τ) g            (the first time b ← g)
///     w ← w − η b                    or, after Nesterov, w ← w − η (g + μ b)
///
/// Without momentum, w ← w − η g and there is no moment. η is the learning rate, μ `momentum`, τ
/// `dampening`, λ `weight_decay` (Sutskever et al. 2013; PyTorch's `SGD`).
public final class SGD: Optimizer {
  public struct Options: OptimizerOptions {
    public var momentum = 0.0
    public var dampening = 0.0
    public var nesterov = false
    public var weightDecay = 0.0
    public var decay = DecayScope.all

    private enum CodingKeys: String, CodingKey {
      case momentum, dampening, nesterov, decay
      case weightDecay = "weight_decay"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      momentum = try container.decodeShare(.momentum, or: momentum)
      dampening = try container.decode(
        .dampening, or: dampening, "a number from 0 to 1"
      ) { 0 <= $0 && $0 <= 1 }
      let momentum = momentum, dampening = dampening
      nesterov = try container.decode(
        .nesterov, or: nesterov, "false, or a momentum above 0 and no dampening"
      ) { !$0 || (momentum > 0 && dampening == 0) }
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      decay = try container.decodeDecayScope(.decay)
    }
  }

  public var updates = 0
  private let options: Options
  private let momentum: ParameterVector?

  public init(_ options: Options, layout: ParameterLayout) {
    precondition(
      !options.nesterov || (options.momentum > 0 && options.dampening == 0),
      "Nesterov momentum needs a momentum above 0 and no dampening")
    self.options = options
    momentum = options.momentum > 0 ? ParameterVector(layout) : nil
  }

  public var moments: [(name: String, vector: ParameterVector)] {
    momentum.map { [("momentum_buffer", $0)] } ?? []
  }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    let kept = updates == 0 ? 1 : 1 - options.dampening
    weights.updateLearnt(
      gradient: gradient,
      ignoresZeros: { momentum == nil && options.weightDecay(of: $0) == 0 }
    ) { entry, numbers in
      let step = Step(
        rate: Real(rate * entry.rateFactor), scale: Real(scale),
        decay: Real(options.weightDecay(of: entry)), momentum: Real(options.momentum),
        kept: Real(kept))
      let w = weights.row(numbers), g = gradient.row(numbers)
      guard let b = momentum?.row(numbers) else { return descend(w, g, step) }
      if options.nesterov {
        lookAhead(w, g, b, step)
      } else {
        roll(w, g, b, step)
      }
    }
    updates += 1
  }
}

private struct Step {
  let rate, scale, decay, momentum, kept: Real
}

@inline(never) private func descend(_ w: Row, _ g: Row, _ k: Step) {
  for j in 0..<w.count { w[j] -= k.rate * (k.scale * g[j] + k.decay * w[j]) }
}

@inline(never) private func roll(_ w: Row, _ g: Row, _ b: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.decay * w[j]
    let buffer = k.momentum * b[j] + k.kept * gradient
    b[j] = buffer
    w[j] -= k.rate * buffer
  }
}

@inline(never) private func lookAhead(_ w: Row, _ g: Row, _ b: Row, _ k: Step) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.decay * w[j]
    let buffer = k.momentum * b[j] + k.kept * gradient
    b[j] = buffer
    w[j] -= k.rate * (gradient + k.momentum * buffer)
  }
}
