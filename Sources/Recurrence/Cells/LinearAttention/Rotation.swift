internal import LinearAlgebra

/// The rotation of the d numbers of a head by the place of a step, number j of the first half with number j of the
/// second by the angle t 10000^(−2j/d) (Su 2021).
struct Rotation: Sendable {
  /// The turns of each pair in a step.
  private let rates: [Double]
  /// [cos, sin] of each pair.
  private let room: Scratch

  init(of width: Int, in plan: inout Plan) {
    rates = (0..<width / 2).map {
      power(10_000, -2 * Double($0) / Double(width)) / (2 * Double.pi)
    }
    room = plan.scratch(width)
  }

  /// Prepares the rotation by a number of steps, which may be negative.
  func set(_ steps: Double, _ pass: Pass) {
    let room = Row(pass.scratch(room).start, count: 2 * rates.count)
    for j in 0..<rates.count {
      let turns = steps * rates[j]
      let place = turns - turns.rounded(.down)
      room[j] = Real(cosineOfTurns(place))
      // The sine is the cosine a quarter of a turn before.
      room[rates.count + j] = Real(cosineOfTurns(place < 0.25 ? place + 0.75 : place - 0.25))
    }
  }

  /// y becomes c times x turned.
  func turn(_ x: Row, _ c: Real, into y: Row, _ pass: Pass) {
    let room = Row(pass.scratch(room).start, count: 2 * rates.count)
    rotate(
      x.part(0, of: 2), x.part(1, of: 2), room.part(0, of: 2), room.part(1, of: 2), c,
      y.part(0, of: 2), y.part(1, of: 2))
  }
}

/// a = c (x cos − z sin), b = c (z cos + x sin)
@inline(never) private func rotate(
  _ x: Row, _ z: Row, _ cosine: Row, _ sine: Row, _ c: Real, _ a: Row, _ b: Row
) {
  for j in 0..<a.count {
    let (p, q) = (x[j], z[j])
    a[j] = c * (p * cosine[j] - q * sine[j])
    b[j] = c * (q * cosine[j] + p * sine[j])
  }
}
