internal import LinearAlgebra
public import Recurrence

/// Adam: steps of about the learning rate, whatever the size of the gradient.
///
///     g ← scale · gradient + λ w
///     m ← m + (1 − β₁)(g − m)
///     v ← β₂ v + (1 − β₂) g²
///     w ← w − η/(1 − β₁ᵗ) · m / (√(v/(1 − β₂ᵗ)) + ε)
///
/// η is the learning rate, t the number of this update from 1, λ `weight_decay` (Kingma & Ba 2014;
/// PyTorch's `Adam`). See `AdamW` for weight decay that is not rescaled by the moments.
public typealias Adam = AdaptiveMoments<DecayInGradient>

/// Adam with weight decay that acts on the weights directly, not through the moments.
///
///     w ← (1 − η λ) w, then an update of Adam without λ
///
/// η is the learning rate, λ `weight_decay`, 0.01 by default (Loshchilov & Hutter 2017; PyTorch's
/// `AdamW`).
public typealias AdamW = AdaptiveMoments<DecayOfWeights>

/// The place where weight decay acts, and its default strength.
public protocol DecayPlace: Sendable {
  static var weightDecay: Double { get }
  /// True if the weights shrink by themselves; false if weight decay is added to the gradient.
  static var isDecoupled: Bool { get }
}

/// Weight decay in the gradient, as in Adam.
public enum DecayInGradient: DecayPlace {
  public static let weightDecay = 0.0
  public static let isDecoupled = false
}

/// Weight decay of the weights, as in AdamW.
public enum DecayOfWeights: DecayPlace {
  public static let weightDecay = 0.01
  public static let isDecoupled = true
}

/// The common part of `Adam` and `AdamW`: running averages of the gradient and of its square.
public final class AdaptiveMoments<Place: DecayPlace>: Optimizer {
  public struct Options: OptimizerOptions {
    public var betas = Betas()
    public var epsilon = 1e-8
    public var weightDecay = Place.weightDecay
    public var decay = DecayScope.all

    private enum CodingKeys: String, CodingKey {
      case betas, epsilon, decay
      case weightDecay = "weight_decay"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      betas = try container.decodeIfPresent(Betas.self, forKey: .betas) ?? betas
      epsilon = try container.decodeEpsilon(.epsilon, or: epsilon)
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
    weights.updateLearnt(gradient: gradient) { entry, numbers in
      let decay =
        Place.isDecoupled ? options.decoupledDecay(of: entry) : options.weightDecay(of: entry)
      let step = AdaptiveStep(
        rate: rate * entry.rateFactor, scale: scale, betas: options.betas,
        epsilon: options.epsilon, update: updates, penalty: Place.isDecoupled ? 0 : decay,
        shrinkage: Place.isDecoupled ? decay : 0)
      adapt(
        weights.row(numbers), gradient.row(numbers), m.row(numbers), v.row(numbers), step)
    }
  }
}

/// The two decay rates of Adam's averages, written `[β₁, β₂]`.
public struct Betas: Codable, Sendable, Equatable {
  /// β₁, for the average of the gradient.
  public var mean = 0.9
  /// β₂, for the average of its square.
  public var square = 0.999

  public init() {}

  public init(mean: Double, square: Double) {
    self.mean = mean
    self.square = square
  }

  public init(from decoder: any Decoder) throws {
    let values = try [Double](from: decoder)
    guard values.count == 2, values.allSatisfy({ 0 <= $0 && $0 < 1 }) else {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: decoder.codingPath,
          debugDescription: "betas is \(values); write two numbers from 0 to below 1"))
    }
    self.init(mean: values[0], square: values[1])
  }

  public func encode(to encoder: any Encoder) throws {
    try [mean, square].encode(to: encoder)
  }
}

/// The constants of one update of Adam or AdamW, computed in double precision once per parameter.
struct AdaptiveStep {
  let scale, penalty, shrink, meanShare, squareKept, squareShare, unbias, epsilon, rate: Real

  /// - Parameters:
  ///   - penalty: The weight decay in the gradient, as in Adam.
  ///   - shrinkage: The weight decay of the weights themselves, as in AdamW.
  init(
    rate: Double, scale: Double, betas: Betas, epsilon: Double, update: Int, penalty: Double,
    shrinkage: Double
  ) {
    self.scale = Real(scale)
    self.penalty = Real(penalty)
    shrink = Real(1 - rate * shrinkage)
    meanShare = Real(1 - betas.mean)
    squareKept = Real(betas.square)
    squareShare = Real(1 - betas.square)
    unbias = Real(1 / (1 - power(betas.square, update)).squareRoot())
    self.epsilon = Real(epsilon)
    self.rate = Real(rate / (1 - power(betas.mean, update)))
  }
}

/// Applies one update of Adam or AdamW to some numbers of a parameter.
@inline(never) func adapt(_ w: Row, _ g: Row, _ m: Row, _ v: Row, _ k: AdaptiveStep) {
  for j in 0..<w.count {
    let gradient = k.scale * g[j] + k.penalty * w[j]
    let mean = m[j] + k.meanShare * (gradient - m[j])
    let square = k.squareKept * v[j] + k.squareShare * gradient * gradient
    m[j] = mean
    v[j] = square
    w[j] = k.shrink * w[j] - k.rate * mean / (root(square) * k.unbias + k.epsilon)
  }
}
