internal import LinearAlgebra

/// The steps of one chunk of a memory with one decay for each step, as products of matrices
/// (Dao & Gu 2024, section 6):
///
///     S(t) = a(t) S(t−1) + k(t) v(t)ᵀ,   o(t) = S(t)ᵀ q(t)
///
/// With D(t, s) = a(s+1) ⋯ a(t) for s ≤ t and g(t) = a(1) ⋯ a(t), where a step at which a stream
/// begins anew has a = 0, the L steps of a chunk after the state S₀ are
///
///     O = (D ∘ Q Kᵀ) V + diag(g) Q S₀,   S(L) = g(L) S₀ + (diag(D(L, ·)) K)ᵀ V
///
/// D is a product of decays and not a quotient of their cumulative products, so that nothing overflows
/// and neighbouring steps keep all their digits. Q Kᵀ is that of all heads that share queries and keys.
struct DecayChunk {
  /// The most steps of a chunk: longer ones have more products of L × L, shorter ones more states.
  static let steps = 64
  /// The fewest steps of a window that are worth the products of matrices.
  static let fewest = 8

  private let keyWidth, valueWidth: Int
  /// D, then D ∘ Q Kᵀ; ∂(D ∘ Q Kᵀ); Q Kᵀ; and the gradient of Q Kᵀ, summed over heads.
  private let decays, gradients, dots, dDots: Scratch
  /// Rows of values, and one more set of them.
  private let values, others: Scratch
  /// Rows of keys.
  private let keys: Scratch
  /// g, and the part of the gradient of ln a that goes through g; D(L, ·), and sums of columns.
  private let whole, last: Scratch

  init(keys keyWidth: Int, values valueWidth: Int, in plan: inout Plan) {
    (self.keyWidth, self.valueWidth) = (keyWidth, valueWidth)
    let rows = ScratchRows.fixed(Self.steps)
    decays = plan.scratch(Self.steps, rows: rows)
    gradients = plan.scratch(Self.steps, rows: rows)
    dots = plan.scratch(Self.steps, rows: rows)
    dDots = plan.scratch(Self.steps, rows: rows)
    values = plan.scratch(valueWidth, rows: rows)
    others = plan.scratch(valueWidth, rows: rows)
    keys = plan.scratch(keyWidth, rows: rows)
    whole = plan.scratch(2 * Self.steps)
    last = plan.scratch(2 * Self.steps)
  }

  /// Computes Q Kᵀ of a chunk, which the heads after it share.
  func multiply(_ q: Matrix, _ k: Matrix, _ pass: Pass) {
    square(dots, q.rows, pass).setProduct(q, k.transposed)
  }

  /// Begins the backward pass of the heads that share Q Kᵀ.
  func multiplyBack(_ q: Matrix, _ k: Matrix, _ pass: Pass) {
    multiply(q, k, pass)
    square(dDots, q.rows, pass).fill(0)
  }

  /// Ends the backward pass of the heads that share Q Kᵀ.
  func endBack(_ q: Matrix, _ k: Matrix, _ dq: Matrix, _ dk: Matrix, _ pass: Pass) {
    let d = square(dDots, q.rows, pass)
    dq.addProduct(d, k)
    dk.addProduct(d.transposed, q)
  }

  /// Computes the outputs of a head and its state after the chunk.
  /// - Parameters:
  ///   - decay: a of a step, 0 where the stream begins anew.
  ///   - scale: A factor of the step's value.
  func forward(
    _ q: Matrix, _ k: Matrix, _ v: Matrix, into o: Matrix, _ past: Matrix, to now: Matrix,
    decay: (Int) -> Real, scale: (Int) -> Real, _ pass: Pass
  ) {
    let steps = q.rows
    let (mixed, dots) = (square(decays, steps, pass), square(dots, steps, pass))
    let (g, end) = (row(whole, 0, steps, pass), row(last, 0, steps, pass))
    setDecays(mixed, g, decay)
    end.copy(mixed[steps - 1])
    for t in 0..<steps { multiplyRow(mixed[t], by: dots[t], count: t + 1) }
    let v = scaled(v, into: values, pass, by: scale)
    o.setProduct(q, past)
    for t in 0..<steps { o[t].scale(by: g[t]) }
    o.addProduct(mixed, v)
    for s in 0..<steps { v[s].scale(by: end[s]) }
    now.setProduct(k.transposed, v)
    for r in 0..<now.rows { add(g[steps - 1], times: past[r], to: now[r]) }
  }

  /// The gradients of one step of a head.
  struct StepGradient {
    /// ∂ ln a
    let decay: Real
    /// The gradient of the value times its factor, which the next step overwrites.
    let value: Row
  }

  /// Turns the gradient of a head's state after the chunk into that of S₀, adds to the gradients of
  /// queries and keys, and hands over those of each step.
  func backward(
    _ q: Matrix, _ k: Matrix, _ v: Matrix, _ dO: Matrix, _ dq: Matrix, _ dk: Matrix,
    past: Matrix, dNow: Matrix, dPast: Matrix,
    decay: (Int) -> Real, scale: (Int) -> Real, _ pass: Pass, _ body: (Int, StepGradient) -> Void
  ) {
    let steps = q.rows
    let (mixed, dMixed) = (square(decays, steps, pass), square(gradients, steps, pass))
    let (dots, dDots) = (square(dots, steps, pass), square(dDots, steps, pass))
    let (g, end) = (row(whole, 0, steps, pass), row(last, 0, steps, pass))
    let (dWhole, sums) = (row(whole, 1, steps, pass), row(last, 1, steps, pass))
    setDecays(mixed, g, decay)
    end.copy(mixed[steps - 1])
    let own = scaled(v, into: values, pass, by: scale)
    dMixed.setProduct(dO, own.transposed)
    for t in 0..<steps { mix(mixed[t], dMixed[t], dots[t], dDots[t], count: t + 1) }

    // The part through the state after the chunk; then own becomes diag(D(L, ·)) V.
    let dValue = Matrix(pass.scratch(others).start, rows: steps, columns: valueWidth)
    dValue.setProduct(k, dNow)
    for s in 0..<steps {
      dMixed[steps - 1, s] += end[s] * own[s].dot(dValue[s])
      dValue[s].scale(by: end[s])
      own[s].scale(by: end[s])
    }
    dk.addProduct(own, dNow.transposed)
    dValue.addProduct(mixed.transposed, dO)

    // The part through the state before it: own becomes diag(g) ∂O.
    let rest = Matrix(pass.scratch(keys).start, rows: steps, columns: keyWidth)
    for t in 0..<steps { scaleRow(dO[t], g[t], into: own[t]) }
    rest.setProduct(own, past.transposed)
    for t in 0..<steps {
      dWhole[t] = q[t].dot(rest[t])
      dq[t].add(rest[t])
    }
    dPast.setProduct(q.transposed, own)
    var dEnd: Real = 0
    for r in 0..<past.rows {
      dEnd += past[r].dot(dNow[r])
      add(g[steps - 1], times: dNow[r], to: dPast[r])
    }
    dWhole[steps - 1] += g[steps - 1] * dEnd

    // ∂ ln a(t) = Σ (∂D ∘ D)(t′, s) over s < t ≤ t′, and the same of g.
    sums.fill(0)
    var tail: Real = 0
    for t in (0..<steps).reversed() {
      tail += dWhole[t]
      let part = addAndSum(dMixed[t], to: sums, count: t)
      body(t, StepGradient(decay: part + tail, value: dValue[t]))
    }
  }

  /// D of a chunk, zero above the diagonal, and g.
  private func setDecays(_ decays: Matrix, _ g: Row, _ decay: (Int) -> Real) {
    for t in 0..<decays.rows {
      let a = decay(t)
      g[t] = t == 0 ? a : a * g[t - 1]
      if t > 0 { scaleRow(decays[t - 1], a, into: decays[t]) }
      decays[t][t..<decays.columns].fill(0)
      decays[t, t] = 1
    }
  }

  private func scaled(
    _ v: Matrix, into room: Scratch, _ pass: Pass, by scale: (Int) -> Real
  ) -> Matrix {
    let own = Matrix(pass.scratch(room).start, rows: v.rows, columns: valueWidth)
    for s in 0..<v.rows { scaleRow(v[s], scale(s), into: own[s]) }
    return own
  }

  private func square(_ scratch: Scratch, _ steps: Int, _ pass: Pass) -> Matrix {
    Matrix(pass.scratch(scratch).start, rows: steps, columns: steps)
  }

  private func row(_ scratch: Scratch, _ k: Int, _ steps: Int, _ pass: Pass) -> Row {
    Row(pass.scratch(scratch).start + k * Self.steps, count: steps)
  }
}

/// y = a x
@inline(never) private func scaleRow(_ x: Row, _ a: Real, into y: Row) {
  for j in 0..<x.count { y[j] = a * x[j] }
}
/// The first numbers of y become y ∘ x.
@inline(never) private func multiplyRow(_ y: Row, by x: Row, count: Int) {
  for j in 0..<count { y[j] *= x[j] }
}
/// With D and the gradient of D ∘ G: that of G is added to ∂G, D becomes D ∘ G and its gradient ∂D ∘ D.
@inline(never) private func mix(_ d: Row, _ dMixed: Row, _ g: Row, _ dG: Row, count: Int) {
  for j in 0..<count {
    let term = d[j] * dMixed[j]
    dG[j] += term
    dMixed[j] = term * g[j]
    d[j] *= g[j]
  }
}
/// The first numbers of y become y + x.
/// - Returns: their sum.
@inline(never) private func addAndSum(_ x: Row, to y: Row, count: Int) -> Real {
  var sum: Real = 0
  for j in 0..<count {
    y[j] += x[j]
    sum += y[j]
  }
  return sum
}
