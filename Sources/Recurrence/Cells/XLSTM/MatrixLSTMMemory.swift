internal import LinearAlgebra

/// The memory of the mLSTM, one for each head, for cells that make q, k, v, i and f in different ways:
///
///     m(t) = max(i, m(t−1) + ln σ(f))
///     i′ = exp(i − m(t)),   f′ = exp(m(t−1) + ln σ(f) − m(t))
///     C(t) = f′ C(t−1) + i′ k vᵀ / √d,   n(t) = f′ n(t−1) + i′ k / √d
///     r(t) = C(t)ᵀ q / (max(|n(t)ᵀ q|, exp(−m(t))) + 10⁻⁶)
///
/// i and f are numbers, q and k have d numbers. m keeps the exponents small and cancels from r but for the 10⁻⁶.
struct MatrixLSTMMemory: Sendable {
  /// The input of a head's memory at a step, or its gradient.
  struct Input {
    let q, k, v: Row
    let i, f: Real
  }

  /// [C, n, m] of each head.
  let state: Activation
  /// The room of the states of a chunk.
  let workspace: Scratch
  /// r of all heads, whose gradient the cell sets before `retreat`.
  let read: Activation
  /// ∂(Cᵀ q) of a head.
  private let dRead: Scratch
  private let heads: Int
  /// d
  private let keys: Int

  /// - Parameters:
  ///   - keyWidth: The numbers of q, and of k, of all heads.
  ///   - hidden: The numbers of v, and of r, of all heads.
  init(keyWidth: Int, hidden: Int, heads: Int, in plan: inout Plan) {
    self.heads = heads
    keys = keyWidth / heads
    let width = keys * (hidden / heads) + keys + 1
    state = plan.chunkedState(heads * width, named: "C")
    workspace = plan.chunkScratch(width)
    // k vᵀ and Cᵀ q
    plan.countProducts(2 * keys * hidden)
    read = plan.activation(hidden)
    dRead = plan.scratch(hidden / heads)
  }

  /// Computes the state of a head after a step, and, if `reading`, r.
  func advance(
    _ past: Row, to now: Row, _ a: Input, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let (before, after) = (parts(past), parts(now))
    let (input, forget, most) = exponents(a, before.m[0])
    remember(before.C, after.C, forget, input * keyScale, a.k, a.v)
    mix(before.n, after.n, forget, input * keyScale, a.k)
    after.m[0] = most
    guard reading else { return }
    let r = pass[read, t][s].part(head, of: heads)
    multiply(after.C, a.q, into: r)
    r.scale(by: 1 / denominator(after.n.dot(a.q), most))
  }

  /// Turns the gradient of a head's state after a step into that of the state before it.
  /// - Parameters:
  ///   - a: The input of the step.
  ///   - da: The rows that are set to the gradients of q, k and v; they may be those of the input.
  /// - Returns: The gradients of i and of f.
  // Long because it is one chain of equations.
  func retreat(
    _ gradient: Row, past: Row, now: Row, _ a: Input, _ da: (q: Row, k: Row, v: Row), head: Int,
    _ t: Int, _ s: Int, _ pass: Pass
  ) -> (i: Real, f: Real) {
    let (before, after, d) = (parts(past), parts(now), parts(gradient))
    let (input, forget, most) = exponents(a, before.m[0])
    let dr = pass.d[read, t][s].part(head, of: heads)
    let r = pass[read, t][s].part(head, of: heads)

    // r = Cᵀ q / (max(|nᵀ q|, exp(−m)) + ε)
    let sum = after.n.dot(a.q)
    let divisor = denominator(sum, most)
    let dDivisor = -dr.dot(r) / divisor
    let dProduct = Row(pass.scratch(dRead).start, count: dr.count)
    scale(dr, 1 / divisor, into: dProduct)
    let isSum = sum.magnitude > exp(-most)
    let dSum = isSum ? (sum < 0 ? -dDivisor : dDivisor) : 0
    var dMost = d.m[0] - (isSum ? 0 : dDivisor * exp(-most))
    addProduct(a.q, dProduct, to: d.C)
    add(dSum, times: a.q, to: d.n)

    // C = f′ C₋ + i′ k vᵀ, n = f′ n₋ + i′ k, with k scaled
    let dForget = d.C.flattened.dot(before.C.flattened) + d.n.dot(before.n)
    // q is not read again and may take its gradient, then k.
    multiplyTransposed(after.C, dProduct, into: da.q)
    add(dSum, times: after.n, to: da.q)
    let dv = dProduct
    multiply(d.C, a.k, into: dv)
    let dInput = keyScale * (dv.dot(a.v) + d.n.dot(a.k))
    multiplyTransposed(d.C, a.v, into: da.k)
    da.k.add(d.n)
    da.k.scale(by: input * keyScale)
    scale(dv, input * keyScale, into: da.v)
    d.C.flattened.scale(by: forget)
    d.n.scale(by: forget)

    // i′ = exp(i − m), f′ = exp(m₋ + ln σ(f) − m), m = max(i, m₋ + ln σ(f))
    let kept = before.m[0] - softplus(-a.f)
    dMost -= dForget * forget + dInput * input
    let isKept = kept >= a.i
    let dKept = dForget * forget + (isKept ? dMost : 0)
    let dI = dInput * input + (isKept ? 0 : dMost)
    d.m[0] = dKept
    return (dI, dKept * sigmoid(-a.f))
  }

  /// 1/√d
  private var keyScale: Real { 1 / Real(keys).squareRoot() }

  /// Splits the state of a head.
  @inline(__always) private func parts(_ row: Row) -> (C: Matrix, n: Row, m: Row) {
    let size = row.count - keys - 1
    return (
      Matrix(row.elements.baseAddress!, rows: keys, columns: size / keys), row[size..<size + keys],
      row[size + keys..<row.count]
    )
  }

  /// Returns i′, f′ and m.
  @inline(__always) private func exponents(
    _ a: Input, _ pastM: Real
  ) -> (input: Real, forget: Real, most: Real) {
    let kept = pastM - softplus(-a.f)
    let most = kept >= a.i ? kept : a.i
    return (exp(a.i - most), exp(kept - most), most)
  }

  @inline(__always) private func denominator(_ sum: Real, _ most: Real) -> Real {
    let least = exp(-most)
    return (sum.magnitude > least ? sum.magnitude : least) + 1e-6
  }
}

/// n = f n₋ + i k
@inline(never) private func mix(_ past: Row, _ n: Row, _ f: Real, _ i: Real, _ k: Row) {
  for j in 0..<n.count { n[j] = f * past[j] + i * k[j] }
}
