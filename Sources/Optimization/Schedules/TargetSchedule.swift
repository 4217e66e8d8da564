internal import LinearAlgebra

/// The probability ε of teacher forcing: that a step reads the target of the step before, and not
/// the model's own prediction. `{shape: linear, from: 1, to: 0, steps: 10000}` (Bengio et al.
/// 2015).
///
///     ε(i) = to + (from − to) s(i)
///
/// i counts the steps of the run from 0.
public struct TargetSchedule: Codable, Sendable, Equatable {
  /// The function by which s falls from 1 to 0.
  public enum Shape: String, Codable, CaseIterable, Sendable {
    /// s = 1
    case constant
    /// s = max(1 − i/steps, 0)
    case linear
    /// s = exp(−i/steps): kⁱ with k = exp(−1/steps)
    case exponential
    /// s = k/(k + exp(i/k)) with k = `steps`
    case inverseSigmoid = "inverse_sigmoid"
  }

  public var shape: Shape
  public var from: Double
  public var to: Double
  public var steps: Int

  private enum CodingKeys: String, CodingKey { case shape, from, to, steps }

  /// Makes a schedule with the same probability at every step.
  public init(constant: Double) {
    (shape, from, to, steps) = (.constant, constant, constant, 1)
  }

  public init(_ shape: Shape, from: Double = 1, to: Double = 0, steps: Int) {
    (self.shape, self.from, self.to, self.steps) = (shape, from, to, steps)
  }

  /// Decodes only the keys that the shape has, so that a strict decoder finds the others.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let shape: Shape = try container.name(.shape, of: "schedule of scheduled sampling") ?? .linear
    let isProbability = { (value: Double) in 0 <= value && value <= 1 }
    let from = try container.decode(.from, or: 1, "a number from 0 to 1", where: isProbability)
    if shape == .constant {
      guard from < 1 else {
        throw DecodingError.dataCorruptedError(
          forKey: .from, in: container,
          debugDescription:
            "from is 1, and a constant 1 feeds only targets, as without scheduled_sampling; write "
            + "a number below 1, or remove scheduled_sampling")
      }
      self.init(constant: from)
      return
    }
    let to = try container.decode(.to, or: 0, "a number from 0 to 1", where: isProbability)
    let steps = try container.require(.steps, "a whole number of at least 1") { $0 >= 1 }
    guard from != to else {
      throw DecodingError.dataCorruptedError(
        forKey: .to, in: container,
        debugDescription:
          "from and to are both \(from), which is the same at every step; set shape to constant")
    }
    self.init(shape, from: from, to: to, steps: steps)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(shape, forKey: .shape)
    try container.encode(from, forKey: .from)
    if shape == .constant { return }
    try container.encode(to, forKey: .to)
    try container.encode(steps, forKey: .steps)
  }

  /// Returns ε at a step of the run, with the same bits on every processor.
  public func probability(step: Int) -> Double {
    let progress = Double(step) / Double(steps)
    switch shape {
    case .constant: return from
    case .linear: return step >= steps ? to : from + (to - from) * progress
    case .exponential: return to + (from - to) * exponential(-progress)
    case .inverseSigmoid:
      let k = Double(steps)
      return to + (from - to) * (k / (k + exponential(progress)))
    }
  }
}
