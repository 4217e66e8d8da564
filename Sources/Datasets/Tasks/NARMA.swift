internal import LinearAlgebra
public import Sequences

/// A nonlinear autoregressive moving average of order 10: the system's next output, from the inputs
/// so far.
///
///     y(t+1) = 0.3 y(t) + 0.05 y(t) Σᵢ₌₀⁹ y(t−i) + 1.5 u(t−9) u(t) + 0.1, u ~ U[0, 0.5)
///
/// Step t reads u(t) and its target is y(t+1); y and u are 0 before the first step. The first
/// `washout` steps have no target. A sequence that diverges, which shows by leaving [−10, 10], is
/// sampled again. Atiya & Parlos 2000.
public struct NARMA: GeneratedTask {
  public static let summary = "the next output of a nonlinear moving average of order 10"
  public static let source = "Atiya & Parlos 2000"

  public var length, washout: Int

  public init(length: Int = 1_000, washout: Int = 0) {
    self.length = length
    self.washout = washout
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    length = try keys.count(.length, default: 1_000, in: 1...largestLength)
    washout = try keys.count(.washout, default: 0, in: 0...length - 1)
  }

  public var inputs: [String] { [] }
  public var outputs: [String] { [] }
  public var widths: Batch.Widths { Batch.Widths(features: 1, values: 1) }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { length...length }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    while true {
      let u = (0..<length).map { _ in draw.uniform(0..<0.5) }
      guard let y = Self.outputs(of: u) else { continue }
      var example = Example()
      example.frames = u.map { Real($0) }
      example.values = y.map { Real($0) }
      example.targets = (0..<length).map { $0 < washout ? Batch.noTarget : 0 }
      return example
    }
  }

  /// Returns y(1), y(2), …; nil if they diverge.
  static func outputs(of u: [Double]) -> [Double]? {
    var y: [Double] = []
    y.reserveCapacity(u.count)
    for t in u.indices {
      let last = y.last ?? 0
      // y(t) is element t − 1.
      let sum = y.suffix(10).reduce(0, +)
      let next =
        0.3 * last + 0.05 * last * sum + 1.5 * (t >= 9 ? u[t - 9] : 0) * u[t] + 0.1
      guard next.magnitude <= 10 else { return nil }
      y.append(next)
    }
    return y
  }
}
