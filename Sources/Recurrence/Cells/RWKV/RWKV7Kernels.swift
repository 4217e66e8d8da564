internal import LinearAlgebra

// The loops of an RWKV-7 layer over the rows of a head.

/// The memory of a head under the generalised delta rule.
enum DeltaMemory {
  /// S = S diag(w) − (S κ) bᵀ + v kᵀ
  @inline(never) static func advance(
    _ s: Matrix, w: Row, removing unit: Row, at b: Row, _ v: Row, _ k: Row
  ) {
    for r in 0..<s.rows { update(s[r], w, b, s[r].dot(unit), v[r], k) }
  }

  /// y = y ∘ w − p b + q k
  @inline(never) private static func update(
    _ y: Row, _ w: Row, _ b: Row, _ p: Real, _ q: Real, _ k: Row
  ) {
    for j in 0..<y.count { y[j] = y[j] * w[j] - p * b[j] + q * k[j] }
  }

  /// ∂S₋ = ∂S diag(w) − e κᵀ, in place of ∂S.
  @inline(never) static func retreat(_ d: Matrix, w: Row, removing unit: Row, _ e: Row) {
    for r in 0..<d.rows { retreat(d[r], w, e[r], unit) }
  }

  /// y = y ∘ w − p κ
  @inline(never) private static func retreat(_ y: Row, _ w: Row, _ p: Real, _ unit: Row) {
    for j in 0..<y.count { y[j] = y[j] * w[j] - p * unit[j] }
  }

  /// o = Σ over rows of S₋ ∘ ∂S
  @inline(never) static func columnProducts(_ past: Matrix, _ d: Matrix, into o: Row) {
    o.fill(0)
    for r in 0..<d.rows { addProducts(1, past[r], d[r], o) }
  }
}

/// e^(−½), the slowest decay's logarithm, negated.
private let decayLimit: Real = 0.606530659712633423603799534991

/// w = exp(−e^(−½) s)
@inline(never) func setDecay(_ s: Row, _ w: Row) {
  for j in 0..<w.count { w[j] = exp(-decayLimit * s[j]) }
}
/// s becomes the gradient of the number whose σ it is.
@inline(never) func differentiateDecay(_ dw: Row, _ w: Row, _ s: Row) {
  for j in 0..<w.count { s[j] = -decayLimit * dw[j] * w[j] * (s[j] * (1 - s[j])) }
}

/// k = k̂ ∘ (1 + (a − 1) ∘ k_a)
@inline(never) func setKeys(_ key: Row, _ a: Row, _ mix: Row, _ k: Row) {
  for j in 0..<k.count { k[j] = key[j] * (1 + (a[j] - 1) * mix[j]) }
}
/// ∂k_a += ∂k ∘ k̂ ∘ (a − 1)
@inline(never) func differentiateMix(_ dk: Row, _ key: Row, _ a: Row, _ dMix: Row) {
  for j in 0..<dk.count { dMix[j] += dk[j] * key[j] * (a[j] - 1) }
}
/// ∂a = ∂k ∘ k̂ ∘ k_a + ∂b ∘ κ
@inline(never) func differentiateRate(
  _ dk: Row, _ key: Row, _ mix: Row, _ db: Row, _ unit: Row, _ da: Row
) {
  for j in 0..<da.count { da[j] = dk[j] * key[j] * mix[j] + db[j] * unit[j] }
}
/// k̂ becomes ∂k ∘ (1 + (a − 1) ∘ k_a).
@inline(never) func setKeyGradient(_ dk: Row, _ a: Row, _ mix: Row, _ key: Row) {
  for j in 0..<key.count { key[j] = dk[j] * (1 + (a[j] - 1) * mix[j]) }
}
/// a becomes ∂a ∘ a ∘ (1 − a).
@inline(never) func setRateGradient(_ da: Row, _ a: Row) {
  for j in 0..<a.count { a[j] = da[j] * (a[j] * (1 - a[j])) }
}
/// ∂κ becomes ∂b ∘ a − ∂κ.
@inline(never) func addRates(_ db: Row, _ a: Row, _ dUnit: Row) {
  for j in 0..<a.count { dUnit[j] = db[j] * a[j] - dUnit[j] }
}
/// ∂κ becomes (∂κ − p κ) r.
@inline(never) func removeAlong(_ dUnit: Row, _ unit: Row, _ p: Real, _ scale: Real) {
  for j in 0..<unit.count { dUnit[j] = (dUnit[j] - p * unit[j]) * scale }
}

/// y = x ∘ z
@inline(never) func multiplyRows(_ x: Row, _ z: Row, into y: Row) {
  for j in 0..<y.count { y[j] = x[j] * z[j] }
}
/// y = r ∘ k ∘ r_k
@inline(never) func setProducts(_ r: Row, _ k: Row, _ mix: Row, _ y: Row) {
  for j in 0..<y.count { y[j] = r[j] * k[j] * mix[j] }
}
/// y += p x ∘ z
@inline(never) func addProducts(_ p: Real, _ x: Row, _ z: Row, _ y: Row) {
  for j in 0..<y.count { y[j] += p * x[j] * z[j] }
}
/// ∂r += p k ∘ r_k, ∂k += p r ∘ r_k
@inline(never) func differentiateBonus(
  _ p: Real, _ r: Row, _ k: Row, _ mix: Row, _ dr: Row, _ dk: Row
) {
  for j in 0..<r.count {
    dr[j] += p * k[j] * mix[j]
    dk[j] += p * r[j] * mix[j]
  }
}

/// h = g ∘ (y + c v)
@inline(never) func gateSum(_ g: Row, _ y: Row, _ c: Real, _ v: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = g[j] * (y[j] + c * v[j]) }
}
/// g becomes ∂h ∘ (y + c v), and y becomes ∂h ∘ g.
@inline(never) func differentiateGatedSum(_ dh: Row, _ g: Row, _ y: Row, _ c: Real, _ v: Row) {
  for j in 0..<dh.count {
    let open = g[j]
    g[j] = dh[j] * (y[j] + c * v[j])
    y[j] = dh[j] * open
  }
}

/// y = v + (v₁ − v) ∘ q
@inline(never) func mixValues(_ v: Row, _ first: Row, _ q: Row, _ y: Row) {
  for j in 0..<y.count { y[j] = v[j] + (first[j] - v[j]) * q[j] }
}
/// ∂v₁ += ∂y ∘ q, v becomes ∂y ∘ (1 − q), and q the gradient of the number whose σ it is.
@inline(never) func differentiateResidual(
  _ dy: Row, _ v: Row, _ first: Row, _ q: Row, _ dFirst: Row
) {
  for j in 0..<dy.count {
    let (open, change) = (q[j], first[j] - v[j])
    dFirst[j] += dy[j] * open
    v[j] = dy[j] * (1 - open)
    q[j] = dy[j] * change * (open * (1 - open))
  }
}
