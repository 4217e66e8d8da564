internal import LinearAlgebra

/// The number of a stream's steps since it began, from 1, as two digits of a base, so that it is exact in single
/// precision however long the stream is.
struct StepClock: Sendable {
  private static let base: Real = 4096

  /// [t mod 4096, t / 4096]
  private let digits: Activation

  init(in plan: inout Plan) { digits = plan.state(2, named: "clock", derivative: .none) }

  /// Counts step t of every stream.
  func advance(_ t: Int, _ pass: Pass) {
    let (past, now) = (pass.before(digits, t), pass[digits, t])
    for s in 0..<pass.streams {
      let next = past[s, 0] + 1
      now[s, 0] = next == Self.base ? 0 : next
      now[s, 1] = next == Self.base ? past[s, 1] + 1 : past[s, 1]
    }
  }

  /// The number of stream s after step t.
  @inline(__always) func steps(_ t: Int, _ s: Int, _ pass: Pass) -> Double {
    let now = pass[digits, t]
    return Double(now[s, 0]) + Double(now[s, 1]) * Double(Self.base)
  }
}
