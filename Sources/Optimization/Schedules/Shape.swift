internal import LinearAlgebra
internal import Names

/// The course of the learning rate after the warm-up.
///
/// η is the schedule's `learning_rate`, s counts steps from the end of the warm-up, e counts epochs
/// from 1. `steps` also counts from the end of the warm-up; by default it is the rest of the run.
/// `final` is the learning rate from the end of the shape on.
public enum Shape: Sendable, Equatable {
  /// η
  case constant
  /// η · factor^⌊s/every⌋
  case step(every: Int, factor: Double)
  /// η · factor^(s/every)
  case exponential(factor: Double, every: Int)
  /// A line from η to `final` over `steps`.
  case linear(steps: Int?, final: Double)
  /// final + (η − final)(1 + cos(π s/steps))/2 (Loshchilov & Hutter 2016)
  case cosine(steps: Int?, final: Double)
  /// Repeated cosines: the first over `period` steps, each further one `multiplier` times as long
  /// as the one before. SGDR (Loshchilov & Hutter 2016).
  case restarts(period: Int, multiplier: Int, final: Double)
  /// η · √(W/(W + s)), W the length of the warm-up, at least 1 (Vaswani et al. 2017)
  case inverseSquareRoot
  /// Warm-up, stable, decay: η, then a line to `final` over the last `decay` of `steps`; `decay` is
  /// a tenth of `steps` by default (Hu et al. 2024).
  case stableDecay(steps: Int?, decay: Int?, final: Double)
  /// η · factor^max(e − after, 0) (Zaremba et al. 2014)
  case epochDecay(factor: Double, after: Int)
  /// from · (η/from)^(s/steps), up to η: a range test, which raises the rate until training diverges (Smith
  /// 2017).
  case range(from: Double, steps: Int?)

  /// The names that a configuration can give as `shape`.
  public static let names = [
    "constant", "cosine", "epoch_decay", "exponential", "inverse_square_root", "linear", "range",
    "step", "wsd",
  ]

  /// The name in a configuration.
  public var name: String {
    switch self {
    case .constant: "constant"
    case .step: "step"
    case .exponential: "exponential"
    case .linear: "linear"
    case .cosine, .restarts: "cosine"
    case .inverseSquareRoot: "inverse_square_root"
    case .stableDecay: "wsd"
    case .epochDecay: "epoch_decay"
    case .range: "range"
    }
  }

  /// Returns the same shape with a missing `steps` filled in; nil if it is needed and unknown.
  func over(steps rest: Int?) -> Shape? {
    switch self {
    case .linear(nil, let final): rest.map { .linear(steps: $0, final: final) }
    case .cosine(nil, let final): rest.map { .cosine(steps: $0, final: final) }
    case .stableDecay(nil, let decay, let final):
      rest.map { .stableDecay(steps: $0, decay: decay, final: final) }
    case .range(let from, nil): rest.map { .range(from: from, steps: $0) }
    default: self
    }
  }

  /// Returns the learning rate `step` steps after the warm-up.
  func rate(from peak: Double, step: Int, epoch: Int, warmup: Int) -> Double {
    switch self {
    case .constant:
      return peak
    case .step(let every, let factor):
      return peak * power(factor, step / every)
    case .exponential(let factor, let every):
      return peak * power(factor, Double(step) / Double(every))
    case .linear(let steps, let final):
      return line(from: peak, to: final, step, of: steps!)
    case .cosine(let steps, let final):
      return wave(from: peak, to: final, step, of: steps!)
    case .restarts(var period, let multiplier, let final):
      var step = step
      if multiplier == 1 { step %= period }
      while step >= period {
        step -= period
        let (longer, overflows) = period.multipliedReportingOverflow(by: multiplier)
        period = overflows ? .max : longer
      }
      return wave(from: peak, to: final, step, of: period)
    case .inverseSquareRoot:
      let length = Double(max(warmup, 1))
      return peak * (length / (length + Double(step))).squareRoot()
    case .stableDecay(let steps, let decay, let final):
      let decay = min(decay ?? max(steps! / 10, 1), steps!)
      return line(from: peak, to: final, max(step - (steps! - decay), 0), of: decay)
    case .epochDecay(let factor, let after):
      return peak * power(factor, max(epoch - after, 0))
    case .range(let from, let steps):
      return step >= steps! ? peak : from * power(peak / from, Double(step) / Double(steps!))
    }
  }
}

/// A line from `peak` to `final`, which stays at `final` after its end.
private func line(from peak: Double, to final: Double, _ step: Int, of steps: Int) -> Double {
  step >= steps ? final : peak + (final - peak) * Double(step) / Double(steps)
}

/// Half a cosine wave from `peak` to `final`, which stays at `final` after its end.
private func wave(from peak: Double, to final: Double, _ step: Int, of steps: Int) -> Double {
  if step >= steps { return final }
  // The C library's cosine is not used: its last bits differ between processors, and each rank
  // computes the rate for itself.
  return final + (peak - final) * (1 + cosineOfTurns(Double(step) / (2 * Double(steps)))) / 2
}

extension Shape: Codable {
  private enum CodingKeys: String, CodingKey {
    case shape, every, factor, steps, final, restarts, decay, after, from
  }

  private struct Restarts: Codable {
    let period: Int
    let multiplier: Int

    init(period: Int, multiplier: Int) {
      self.period = period
      self.multiplier = multiplier
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      let positive = "a whole number of at least 1"
      period = try container.require(.period, positive) { $0 >= 1 }
      multiplier = try container.decode(.multiplier, or: 1, positive) { $0 >= 1 }
    }
  }

  /// Decodes only the keys that the shape has, so that a strict decoder finds the others.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let positive = "a whole number of at least 1"
    func final() throws -> Double { try container.decodeNonNegative(.final, or: 0) }
    func steps() throws -> Int? { try container.decode(.steps, positive) { $0 >= 1 } }
    let isFactor = { (factor: Double) in 0 < factor && factor <= 1 }
    let name = try container.decodeIfPresent(String.self, forKey: .shape) ?? "constant"
    switch name {
    case "constant":
      self = .constant
    case "step":
      self = .step(
        every: try container.require(.every, positive) { $0 >= 1 },
        factor: try container.decode(
          .factor, or: 0.1, "a number above 0 and up to 1", where: isFactor))
    case "exponential":
      self = .exponential(
        factor: try container.require(.factor, "a number above 0 and up to 1", where: isFactor),
        every: try container.decode(.every, or: 1, positive) { $0 >= 1 })
    case "linear":
      self = .linear(steps: try steps(), final: try final())
    case "cosine":
      if let restarts = try container.decodeIfPresent(Restarts.self, forKey: .restarts) {
        self = .restarts(
          period: restarts.period, multiplier: restarts.multiplier, final: try final())
      } else {
        self = .cosine(steps: try steps(), final: try final())
      }
    case "inverse_square_root":
      self = .inverseSquareRoot
    case "wsd":
      self = .stableDecay(
        steps: try steps(), decay: try container.decode(.decay, positive) { $0 >= 1 },
        final: try final())
    case "epoch_decay":
      self = .epochDecay(
        factor: try container.require(.factor, "a number above 0 and up to 1", where: isFactor),
        after: try container.decodeCount(.after, or: 1))
    case "range":
      self = .range(
        from: try container.decode(.from, or: 1e-6, "a finite number above 0") {
          0 < $0 && $0.isFinite
        },
        steps: try steps())
    default:
      throw container.unknownName(name, of: "schedule", among: Self.names, forKey: .shape)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .shape)
    switch self {
    case .constant, .inverseSquareRoot:
      break
    case .step(let every, let factor), .exponential(let factor, let every):
      try container.encode(every, forKey: .every)
      try container.encode(factor, forKey: .factor)
    case .linear(let steps, let final), .cosine(let steps, let final):
      try container.encodeIfPresent(steps, forKey: .steps)
      try container.encode(final, forKey: .final)
    case .restarts(let period, let multiplier, let final):
      try container.encode(
        Restarts(period: period, multiplier: multiplier), forKey: .restarts)
      try container.encode(final, forKey: .final)
    case .stableDecay(let steps, let decay, let final):
      try container.encodeIfPresent(steps, forKey: .steps)
      try container.encodeIfPresent(decay, forKey: .decay)
      try container.encode(final, forKey: .final)
    case .epochDecay(let factor, let after):
      try container.encode(factor, forKey: .factor)
      try container.encode(after, forKey: .after)
    case .range(let from, let steps):
      try container.encode(from, forKey: .from)
      try container.encodeIfPresent(steps, forKey: .steps)
    }
  }
}
