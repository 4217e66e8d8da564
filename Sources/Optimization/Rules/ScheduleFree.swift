internal import LinearAlgebra
public import Recurrence

/// Schedule-Free AdamW: AdamW that needs no decay of the learning rate, because the weights which are
/// evaluated are an average over the run.
///
///     g ← scale · gradient at y
///     v ← β₂ v + (1 − β₂) g²,   u ← g / (√(v/(1 − β₂ᵗ)) + ε) + λ y
///     c ← p / Σ p,   p = tʳ η_maxᵖᵒʷᵉʳ
///     y ← y + c (z − y) + η (β₁ (1 − c) − 1) u
///     z ← z − η u
///
/// The model is trained at y, which are the weights of the run, and evaluated at x = y + (1 − 1/β₁)(z − y),
/// the average of all z. η is the learning rate of this update and η_max the largest so far, t the number of
/// this update from 1, λ `weight_decay` (Defazio et al. 2024).
public final class ScheduleFree: Optimizer, AveragingOptimizer {
  public struct Options: OptimizerOptions {
    public var betas = Betas()
    public var epsilon = 1e-8
    public var weightDecay = 0.0
    public var decay = DecayScope.all
    /// r: later updates weigh tʳ in the average.
    public var r = 0.0
    /// The power of the largest learning rate in the weight of an update.
    public var rateWeight = 2.0

    private enum CodingKeys: String, CodingKey {
      case betas, epsilon, decay, r
      case weightDecay = "weight_decay"
      case rateWeight = "weight_lr_power"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      betas = try container.decodeIfPresent(Betas.self, forKey: .betas) ?? betas
      guard betas.mean > 0 else {
        throw DecodingError.dataCorruptedError(
          forKey: .betas, in: container,
          debugDescription:
            "betas[0] is 0, which would evaluate the model at a point it never trains beside; "
            + "write a number above 0, such as 0.9")
      }
      epsilon = try container.decodeEpsilon(.epsilon, or: epsilon)
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      decay = try container.decodeDecayScope(.decay)
      r = try container.decodeNonNegative(.r, or: r)
      rateWeight = try container.decodeNonNegative(.rateWeight, or: rateWeight)
    }
  }

  public static var keepsAverage: Bool { true }
  public var updates = 0
  private let options: Options
  private let z, square: ParameterVector
  private var (largestRate, weightSum) = (0.0, 0.0)

  public init(_ options: Options, layout: ParameterLayout) {
    self.options = options
    z = ParameterVector(layout)
    square = ParameterVector(layout)
  }

  public var moments: [(name: String, vector: ParameterVector)] {
    [("exp_avg_sq", square), ("z", z)]
  }

  /// η_max and Σ p.
  public var numbers: [Double] {
    get { [largestRate, weightSum] }
    set { if newValue.count == 2 { (largestRate, weightSum) = (newValue[0], newValue[1]) } }
  }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    if updates == 0 {
      // The run may have begun with the weights of a file.
      weights.forEachOwn { entry, block in
        if !entry.isFrozen { z.row(block.numbers).copy(weights.row(block.numbers)) }
      }
    }
    updates += 1
    largestRate = max(largestRate, rate)
    let ofRate = largestRate > 0 ? power(largestRate, options.rateWeight) : 0
    let weight = power(Double(updates), options.r) * ofRate
    weightSum += weight
    let share = weightSum > 0 ? weight / weightSum : 0
    let betas = options.betas
    weights.updateLearnt(gradient: gradient) { entry, numbers in
      let rate = rate * entry.rateFactor
      let step = Step(
        scale: Real(scale), decay: Real(options.decoupledDecay(of: entry)),
        squareKept: Real(betas.square), squareShare: Real(1 - betas.square),
        unbias: Real(1 / (1 - power(betas.square, updates)).squareRoot()),
        epsilon: Real(options.epsilon), share: Real(share),
        correction: Real(rate * (betas.mean * (1 - share) - 1)), rate: Real(rate))
      adapt(
        weights.row(numbers), gradient.row(numbers), z.row(numbers), square.row(numbers), step)
    }
  }

  public func average(_ weights: ParameterVector, into x: ParameterVector) {
    let away = Real(updates == 0 ? 0 : 1 - 1 / options.betas.mean)
    x.update { x in
      x.forEachOwn { entry, block in
        let (x, y) = (x.row(block.numbers), weights.row(block.numbers))
        x.copy(y)
        if !entry.isFrozen, away != 0 { extrapolate(x, z.row(block.numbers), away) }
      }
    }
  }
}

private struct Step {
  let scale, decay, squareKept, squareShare, unbias, epsilon, share, correction, rate: Real
}

@inline(never) private func adapt(_ y: Row, _ g: Row, _ z: Row, _ v: Row, _ k: Step) {
  for j in 0..<y.count {
    let gradient = k.scale * g[j]
    let square = k.squareKept * v[j] + k.squareShare * gradient * gradient
    v[j] = square
    let u = gradient / (root(square) * k.unbias + k.epsilon) + k.decay * y[j]
    y[j] = y[j] + k.share * (z[j] - y[j]) + k.correction * u
    z[j] -= k.rate * u
  }
}

/// y ← y + a (z − y)
@inline(never) private func extrapolate(_ y: Row, _ z: Row, _ a: Real) {
  for j in 0..<y.count { y[j] += a * (z[j] - y[j]) }
}
