internal import LinearAlgebra
public import Sequences

/// The next value of a chaotic series, which a delay differential equation defines.
///
///     dx/dt = 0.2 x(t − τ)/(1 + x(t − τ)¹⁰) − 0.1 x(t)
///
/// A step reads x(t) and its target is x(t + 1); the first `washout` steps have no target. Each
/// sequence starts from a constant past, U[1.1, 1.3), and its first 1,000 steps are left out. The
/// equation is integrated ten times per step: `rk4` is the fourth-order Runge–Kutta rule, with the
/// delayed value halfway from the cubic through four neighbours; `euler` is Euler's rule. `shift`
/// is added to every x; −1 centres the series near 0. Mackey & Glass 1977; τ = 17 as in Jaeger &
/// Haas 2004.
public struct MackeyGlass: GeneratedTask {
  public static let summary = "the next value of the Mackey–Glass series"
  public static let source = "Mackey & Glass 1977"

  public enum Method: String, Codable, Sendable, CaseIterable { case rk4, euler }

  public var tau, length, washout: Int
  public var method: Method
  public var shift: Double

  public init(
    tau: Int = 17, length: Int = 1_000, washout: Int = 0, method: Method = .rk4,
    shift: Double = 0
  ) {
    self.shift = shift
    self.tau = tau
    self.length = length
    self.washout = washout
    self.method = method
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    tau = try keys.count(.tau, default: 17, in: 1...1_000)
    length = try keys.count(.length, default: 1_000, in: 1...largestLength)
    washout = try keys.count(.washout, default: 0, in: 0...length - 1)
    method = try keys.choice(.method, default: .rk4)
    shift = try keys.decodeIfPresent(Double.self, forKey: .shift) ?? 0
    guard shift.isFinite else { throw keys.refusal(.shift, "shift must be a finite number") }
  }

  public var inputs: [String] { [] }
  public var outputs: [String] { [] }
  public var widths: Batch.Widths { Batch.Widths(features: 1, values: 1) }
  public var asksForNextFrame: Bool { true }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { length...length }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let skipped = 1_000
    let x = series(from: draw.uniform(1.1..<1.3), count: skipped + length + 1)
      .dropFirst(skipped).map { Real($0 + shift) }
    var example = Example()
    example.frames = Array(x.dropLast())
    example.values = Array(x.dropFirst())
    example.targets = (0..<length).map { $0 < washout ? Batch.noTarget : 0 }
    return example
  }

  /// Returns x(0), x(1), … after a constant past.
  func series(from past: Double, count: Int, stepsPerUnit: Int = 10) -> [Double] {
    let delay = tau * stepsPerUnit
    let h = 1 / Double(stepsPerUnit)
    var x = Array(repeating: past, count: delay + 1)
    x.reserveCapacity(delay + count * stepsPerUnit)
    for _ in 0..<max((count - 1) * stepsPerUnit, 0) {
      let now = x[x.count - 1]
      let i = x.count - 1 - delay
      switch method {
      case .euler: x.append(now + h * slope(now, x[i]))
      case .rk4:
        let before = i > 0 ? x[i - 1] : past
        let half = (9 * (x[i] + x[i + 1]) - before - x[i + 2]) / 16
        let a = slope(now, x[i])
        let b = slope(now + h / 2 * a, half)
        let c = slope(now + h / 2 * b, half)
        let d = slope(now + h * c, x[i + 1])
        x.append(now + h / 6 * (a + 2 * b + 2 * c + d))
      }
    }
    return (0..<count).map { x[delay + $0 * stepsPerUnit] }
  }

  private func slope(_ x: Double, _ delayed: Double) -> Double {
    let square = delayed * delayed
    let fourth = square * square
    return 0.2 * delayed / (1 + fourth * fourth * square) - 0.1 * x
  }
}
