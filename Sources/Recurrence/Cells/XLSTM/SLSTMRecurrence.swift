internal import LinearAlgebra

/// The step of the sLSTM with its states and recurrent weights, for cells that make its preactivations in
/// different ways; the equations are those of `SLSTM`.
struct SLSTMRecurrence: Sendable {
  /// h
  let output: Activation
  /// R, `[4 hidden, hidden / heads]`: one head's block below the other's.
  let weight: Parameter
  private let memory, normalizer, maximum: Activation
  /// 1 − σ(f)
  private let slope: Activation
  /// h₋ R of a step.
  private let fedBack: Activation
  private let heads: Int

  /// - Parameter zeroRows: The number of rows of R, the last ones, that start at zero with any initializer;
  ///   with PyTorch's, as in the reference, all do.
  init(hidden n: Int, heads: Int, zeroRows: Int = 0, in plan: inout Plan) {
    self.heads = heads
    memory = plan.state(n, named: "c", derivative: .rolling)
    normalizer = plan.state(n, named: "n", derivative: .rolling)
    maximum = plan.state(n, named: "m", derivative: .rolling)
    output = plan.state(n)
    slope = plan.activation(n, derivative: .none)
    fedBack = plan.stepTemporary(4 * n)
    // The reference starts from zeros; an initializer that is asked for by name takes their place.
    weight = plan.parameter(
      "weight_hh", from: n / heads, to: 4 * n, gates: 4 * heads, pytorch: .zero,
      zeroRows: zeroRows)
  }

  /// i′ and f′ are exponentials, of which one is 1; o alone is a gate that may close.
  func gateBlocks(in preactivation: Activation) -> [GateBlock] {
    (0..<heads).map { head in
      GateBlock(heads == 1 ? "o" : "o of head \(head)", preactivation, 4 * head + 3, of: 4 * heads)
    }
  }

  /// Computes step t from x W + b, to which it adds h₋ R.
  func forward(_ a: Matrix, _ t: Int, _ pass: Pass) {
    let past = pass.read(output, t)
    let fed = pass[fedBack, t]
    forEachBlock(pass[weight].matrix) { head, block in
      fed.part(head, of: heads).setProduct(
        past.part(head, of: heads), block.transposed, independentRows: pass.rowsAreIndependent)
    }
    a.add(fed)
    let (c, n, m) = (pass[memory, t], pass[normalizer, t], pass[maximum, t])
    let pasts = (
      c: pass.before(memory, t), n: pass.before(normalizer, t), m: pass.before(maximum, t)
    )
    let (h, slope) = (pass[output, t], pass[slope, t])
    for s in 0..<pass.streams {
      for head in 0..<heads {
        let (i, f, z, o) = gates(a[s], head)
        stabilise(
          i, f, of(pasts.n[s], head), of(pasts.m[s], head), of(m[s], head), of(slope[s], head))
        remember(
          i, f, z, of(pasts.c[s], head), of(pasts.n[s], head), of(c[s], head), of(n[s], head))
        respond(o, of(c[s], head), of(n[s], head), of(h[s], head))
      }
    }
  }

  /// Turns the preactivations of step t into their gradient.
  func backward(_ a: Matrix, _ t: Int, _ pass: Pass) {
    let (c, n) = (pass[memory, t], pass[normalizer, t])
    let (pastC, pastN) = (pass.before(memory, t), pass.before(normalizer, t))
    let (dc, dn, dh) = (pass.d[memory, t], pass.d[normalizer, t], pass.d[output, t])
    let dPastC = pass.d.before(memory, t)
    let (dPastN, dPastM) = (pass.d.before(normalizer, t), pass.d.before(maximum, t))
    let (dm, slope) = (pass.d[maximum, t], pass[slope, t])
    for s in 0..<pass.streams {
      for head in 0..<heads {
        let (i, f, z, o) = gates(a[s], head)
        differentiateOutput(
          of(dh[s], head), o, of(c[s], head), of(n[s], head), of(dc[s], head), of(dn[s], head))
        differentiateMemory(
          of(dc[s], head), of(dn[s], head), of(dm[s], head), of(pastC[s], head),
          of(pastN[s], head), i, f, z, of(slope[s], head), of(dPastC[s], head),
          of(dPastN[s], head), of(dPastM[s], head))
      }
    }
    let dPast = pass.d.read(output, t)
    forEachBlock(pass[weight].matrix) { head, block in
      dPast.part(head, of: heads).addProduct(a.part(head, of: heads), block)
    }
  }

  /// Adds to the gradient of R, given that of the preactivations of all steps.
  func accumulate(_ da: Matrix, _ pass: Pass) {
    let past = pass.read(output, lag: 1)
    let dR = pass.d[weight]
    let rows = dR.matrix.rows / heads
    for head in 0..<heads {
      dR.slice(rows: head * rows..<(head + 1) * rows).addProduct(
        da.part(head, of: heads).transposed, past.part(head, of: heads))
    }
  }

  private func forEachBlock(_ matrix: Matrix, _ body: (Int, Matrix) -> Void) {
    let rows = matrix.rows / heads
    for head in 0..<heads { body(head, matrix.slice(rows: head * rows..<(head + 1) * rows)) }
  }

  @inline(__always) private func of(_ row: Row, _ head: Int) -> Row { row.part(head, of: heads) }

  /// Splits a head's part of a row into its gates.
  @inline(__always) private func gates(
    _ a: Row, _ head: Int
  ) -> (i: Row, f: Row, z: Row, o: Row) {
    let own = of(a, head)
    return (own.part(0, of: 4), own.part(1, of: 4), own.part(2, of: 4), own.part(3, of: 4))
  }
}

/// m = max(i, m₋ + ln σ(f)), but i where n₋ is zero; i and f become i′ and f′; slope = 1 − σ(f)
@inline(never) private func stabilise(
  _ i: Row, _ f: Row, _ pastN: Row, _ pastM: Row, _ m: Row, _ slope: Row
) {
  for j in 0..<m.count {
    let kept = pastM[j] - softplus(-f[j])
    let first = pastN[j] == 0
    let most = first || i[j] > kept ? i[j] : kept
    let forget = kept - most
    slope[j] = sigmoid(-f[j])
    m[j] = most
    i[j] = exp(i[j] - most)
    f[j] = exp(forget < 0 ? forget : 0)
  }
}
/// z = tanh(z), c = f′ ∘ c₋ + i′ ∘ z, n = f′ ∘ |n₋| + i′
///
/// n is never negative, except where a learnt initial state is.
@inline(never) private func remember(
  _ i: Row, _ f: Row, _ z: Row, _ pastC: Row, _ pastN: Row, _ c: Row, _ n: Row
) {
  for j in 0..<c.count {
    let value = tanh(z[j])
    z[j] = value
    c[j] = f[j] * pastC[j] + i[j] * value
    n[j] = f[j] * pastN[j].magnitude + i[j]
  }
}
/// o = σ(o), h = o ∘ c / n
@inline(never) private func respond(_ o: Row, _ c: Row, _ n: Row, _ h: Row) {
  for j in 0..<h.count {
    let open = sigmoid(o[j])
    o[j] = open
    h[j] = open * (c[j] / n[j])
  }
}
/// ∂c += ∂h ∘ o / n, ∂n −= ∂h ∘ o ∘ c / n², o becomes ∂h ∘ (c / n) ∘ o ∘ (1 − o)
@inline(never) private func differentiateOutput(
  _ dh: Row, _ o: Row, _ c: Row, _ n: Row, _ dc: Row, _ dn: Row
) {
  for j in 0..<dh.count {
    let (open, ratio) = (o[j], c[j] / n[j])
    let share = dh[j] * open / n[j]
    dc[j] += share
    dn[j] -= share * ratio
    o[j] = dh[j] * ratio * (open * (1 - open))
  }
}
/// With ∂i′ = ∂c ∘ z + ∂n and ∂f′ = ∂c ∘ c₋ + ∂n ∘ n₋: ∂c₋ = ∂c ∘ f′, ∂n₋ = ∂n ∘ f′, and m, in both exponents,
/// gives ∂m − ∂i′ ∘ i′ − ∂f′ ∘ f′ to the larger of i and m₋ + ln σ(f). i becomes its gradient, f that of the
/// sum times 1 − σ(f), and z becomes ∂c ∘ i′ ∘ (1 − z²); ∂m₋ is the gradient of the sum.
@inline(never) private func differentiateMemory(
  _ dc: Row, _ dn: Row, _ dm: Row, _ pastC: Row, _ pastN: Row, _ i: Row, _ f: Row, _ z: Row,
  _ slope: Row, _ dPastC: Row, _ dPastN: Row, _ dPastM: Row
) {
  for j in 0..<dc.count {
    let (input, forget, value) = (i[j], f[j], z[j])
    let dInput = (dc[j] * value + dn[j]) * input
    // At a first step f′ is at most 1, whatever m₋ + ln σ(f).
    let (isFirst, isOne) = (pastN[j] == 0, forget == 1)
    let dForget =
      isFirst && isOne ? 0 : (dc[j] * pastC[j] + dn[j] * pastN[j].magnitude) * forget
    let dMost = dm[j] - dInput - dForget
    let isKept = isOne && !isFirst
    let dKept = isKept ? dForget + dMost : dForget
    i[j] = isKept ? dInput : dInput + dMost
    f[j] = dKept * slope[j]
    z[j] = dc[j] * input * (1 - value * value)
    dPastC[j] = dc[j] * forget
    dPastN[j] = pastN[j] < 0 ? -dn[j] * forget : dn[j] * forget
    dPastM[j] = dKept
  }
}
