internal import LinearAlgebra

/// Layer normalisation of rows, LN(v) = gain ∘ v̂ + shift with v̂ = (v − mean v) / √(var v + ε), each row
/// by itself (Ba, Kiros & Hinton 2016); ε = 10⁻⁵ as in PyTorch.
///
/// The caller keeps v̂ and the scale 1/√(var v + ε) for the backward pass.
enum LayerNormalization {
  /// Replaces v with v̂.
  /// - Returns: The scale.
  static func normalize(_ v: Row) -> Real {
    let count = Real(v.count)
    subtract(v.sum / count, from: v)
    let scale = 1 / (v.dot(v) / count + 1e-5).squareRoot()
    multiply(v, by: scale)
    return scale
  }

  /// y = gain ∘ v̂ + shift
  @inline(never) static func set(_ y: Row, _ gain: Row, _ v: Row, _ shift: Row) {
    for j in 0..<y.count { y[j] = gain[j] * v[j] + shift[j] }
  }

  /// y += gain ∘ v̂
  @inline(never) static func add(_ gain: Row, _ v: Row, to y: Row) {
    for j in 0..<y.count { y[j] += gain[j] * v[j] }
  }

  /// y += x
  @inline(never) static func add(_ x: Row, to y: Row) {
    for j in 0..<y.count { y[j] += x[j] }
  }

  /// y = x
  @inline(never) static func copy(_ x: Row, to y: Row) {
    for j in 0..<y.count { y[j] = x[j] }
  }

  /// y = 0
  @inline(never) static func clear(_ y: Row) {
    for j in 0..<y.count { y[j] = 0 }
  }

  /// Replaces v̂ with the gradient with respect to v, given the gradient with respect to LN(v) in
  /// `dy`. Adds the gradient of the gain to `dGain`. `room` is temporary memory.
  static func differentiate(
    _ dy: Row, _ v: Row, gain: Row, scale: Real, dGain: Row, room: Row
  ) {
    // With q = ∂y ∘ gain: ∂v = scale · (q − mean q − v̂ mean(q ∘ v̂))
    weigh(dy, gain, v, room, dGain)
    let count = Real(v.count)
    combine(room, room.sum / count, room.dot(v) / count, scale, v)
  }
}

@inline(never) private func subtract(_ mean: Real, from v: Row) {
  for j in 0..<v.count { v[j] -= mean }
}
@inline(never) private func multiply(_ v: Row, by scale: Real) {
  for j in 0..<v.count { v[j] *= scale }
}
/// q = ∂y ∘ gain, ∂gain += ∂y ∘ v̂
@inline(never) private func weigh(_ dy: Row, _ gain: Row, _ v: Row, _ q: Row, _ dGain: Row) {
  for j in 0..<dy.count {
    q[j] = dy[j] * gain[j]
    dGain[j] += dy[j] * v[j]
  }
}
/// v̂ becomes scale · (q − a − v̂ b)
@inline(never) private func combine(_ q: Row, _ a: Real, _ b: Real, _ scale: Real, _ v: Row) {
  for j in 0..<v.count { v[j] = scale * (q[j] - a - v[j] * b) }
}
