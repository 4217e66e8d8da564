/// A way in which a model adapts to the text that it is evaluated on; every symbol is predicted before
/// it is learnt from.
public enum Adaptation: Equatable, Sendable {
  case dynamic(DynamicOptions)
  case cache(CacheOptions)
}

/// Dynamic evaluation: gradient descent on each segment of the text after it was predicted (Krause 2018).
public struct DynamicOptions: Codable, Equatable, Sendable {
  public enum Rule: String, Codable, CaseIterable, Sendable {
    /// θ ← θ − η g / (R + ε) + min(λ R / mean R, 1) (θ₀ − θ), where R is the root of the mean square
    /// of the gradients of training data
    case rms
    /// θ ← θ − η g + λ (θ₀ − θ)
    case sgd
  }

  public var rule: Rule
  /// η
  public var rate: Double
  /// λ, from 0 to 1
  public var decay: Double
  /// ε
  public var epsilon: Double
  /// The number of steps of a segment.
  public var segment: Int
  /// The most windows of training data that R is measured on.
  public var statistics: Int

  public init(
    _ rule: Rule = .rms, rate: Double? = nil, decay: Double? = nil, epsilon: Double = 0.001,
    segment: Int = 5, statistics: Int = 500
  ) {
    self.rule = rule
    self.rate = rate ?? (rule == .rms ? 0.002 : 0.1)
    self.decay = decay ?? (rule == .rms ? 0.02 : 0.001)
    self.epsilon = epsilon
    self.segment = segment
    self.statistics = statistics
  }

  /// The rates and decays that a search tries.
  package var grid: [DynamicOptions] {
    let rates = rule == .rms ? [0.0005, 0.001, 0.002, 0.004] : [0.03, 0.1, 0.3, 1]
    let decays = rule == .rms ? [0.005, 0.02] : [0, 0.001]
    return rates.flatMap { rate in
      decays.map { decay in
        var options = self
        (options.rate, options.decay) = (rate, decay)
        return options
      }
    }
  }
}

/// A cache of the hidden states of the text so far and the symbols that followed them (Grave 2017):
///
///     p = (1 − λ) p_model + λ Σᵢ softmaxᵢ(θ hₜ · hᵢ) 1(xᵢ₊₁),   i = t − window … t − 1
public struct CacheOptions: Codable, Equatable, Sendable {
  /// The most earlier steps that are kept.
  public var window: Int
  /// θ
  public var theta: Double
  /// λ, from 0 to below 1
  public var weight: Double

  public init(window: Int = 2000, theta: Double = 0.3, weight: Double = 0.1) {
    self.window = window
    self.theta = theta
    self.weight = weight
  }

  /// The flatness and the weights that a search tries.
  static let thetas = [0.1, 0.2, 0.3, 0.5, 0.7, 1]
  static let weights = [0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4]
}

extension Adaptation {
  /// The settings in words.
  public var words: String {
    switch self {
    case .dynamic(let options):
      "dynamic \(options.rule.rawValue), rate \(options.rate), decay \(options.decay), "
        + "segments of \(options.segment)"
    case .cache(let options):
      "cache of \(options.window), theta \(options.theta), weight \(options.weight)"
    }
  }
}

extension Adaptation: Encodable {
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .dynamic(let options): try options.encode(to: encoder)
    case .cache(let options): try options.encode(to: encoder)
    }
  }
}
