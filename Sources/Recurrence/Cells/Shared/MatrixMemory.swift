internal import LinearAlgebra

// The loops over the matrix of a head, S with a row for each number of a key and a column for each number of a
// value.

/// S = f S₋ + i k vᵀ; S₋ may be S.
@inline(never)
func remember(_ past: Matrix, _ now: Matrix, _ f: Real, _ i: Real, _ k: Row, _ v: Row) {
  for r in 0..<now.rows {
    let (old, new, factor) = (past[r], now[r], i * k[r])
    for j in 0..<v.count { new[j] = f * old[j] + factor * v[j] }
  }
}

/// S = f S₋ + i k vᵀ and o = Sᵀ q; S₋ may be S.
@inline(never)
func rememberAndRead(
  _ past: Matrix, _ now: Matrix, _ f: Real, _ i: Real, _ k: Row, _ v: Row, _ q: Row, _ o: Row
) {
  o.fill(0)
  for r in 0..<now.rows {
    let (old, new, factor, weight) = (past[r], now[r], i * k[r], q[r])
    for j in 0..<o.count {
      let value = f * old[j] + factor * v[j]
      new[j] = value
      o[j] += weight * value
    }
  }
}

/// o = Sᵀ q
@inline(never) func multiply(_ s: Matrix, _ q: Row, into o: Row) {
  o.fill(0)
  for r in 0..<s.rows {
    let (row, factor) = (s[r], q[r])
    for j in 0..<o.count { o[j] += factor * row[j] }
  }
}

/// o = S v
@inline(never) func multiplyTransposed(_ s: Matrix, _ v: Row, into o: Row) {
  for r in 0..<s.rows { o[r] = s[r].dot(v) }
}

/// S += k vᵀ
@inline(never) func addProduct(_ k: Row, _ v: Row, to s: Matrix) {
  for r in 0..<s.rows {
    let (row, factor) = (s[r], k[r])
    for j in 0..<v.count { row[j] += factor * v[j] }
  }
}

/// y += a x
@inline(never) func add(_ a: Real, times x: Row, to y: Row) {
  for j in 0..<y.count { y[j] += a * x[j] }
}

/// y = a x
@inline(never) func scale(_ x: Row, _ a: Real, into y: Row) {
  for j in 0..<y.count { y[j] = a * x[j] }
}

/// y = exp(x)
@inline(never) func setExponentials(_ x: Row, _ y: Row) {
  for j in 0..<y.count { y[j] = exp(x[j]) }
}
