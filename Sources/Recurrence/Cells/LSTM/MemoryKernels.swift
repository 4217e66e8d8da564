internal import LinearAlgebra

/// One step of a gated memory c and its derivative, shared by `lstm` and `mlstm`.
enum MemoryKernels {
  /// i, f = σ(i, f), g = tanh(g), c = f ∘ c₋ + i ∘ g
  @inline(never) static func remember(_ i: Row, _ f: Row, _ g: Row, _ past: Row, _ c: Row) {
    for j in 0..<c.count {
      let (input, forget, candidate) = (sigmoid(i[j]), sigmoid(f[j]), tanh(g[j]))
      i[j] = input
      f[j] = forget
      g[j] = candidate
      c[j] = forget * past[j] + input * candidate
    }
  }

  /// o = σ(o), h = o ∘ tanh c
  @inline(never) static func respond(_ o: Row, _ c: Row, _ h: Row) {
    for j in 0..<h.count {
      let gate = sigmoid(o[j])
      o[j] = gate
      h[j] = gate * tanh(c[j])
    }
  }

  /// ∂c += ∂h ∘ o ∘ (1 − tanh² c), and o becomes ∂o = ∂h ∘ tanh c ∘ o ∘ (1 − o)
  @inline(never) static func differentiateOutput(_ dh: Row, _ c: Row, _ o: Row, _ dc: Row) {
    for j in 0..<dh.count {
      let (squashed, gate) = (tanh(c[j]), o[j])
      let through = dh[j] * gate
      dc[j] += through * (1 - squashed * squashed)
      o[j] = through * squashed * (1 - gate)
    }
  }

  /// ∂c₋ = ∂c ∘ f, and the gates become ∂i = ∂c ∘ g ∘ i ∘ (1 − i), ∂f = ∂c ∘ c₋ ∘ f ∘ (1 − f) and
  /// ∂g = ∂c ∘ i ∘ (1 − g²)
  @inline(never) static func differentiateMemory(
    _ dc: Row, _ past: Row, _ i: Row, _ f: Row, _ g: Row, _ dPast: Row
  ) {
    for j in 0..<dc.count {
      let (input, forget, candidate) = (i[j], f[j], g[j])
      dPast[j] = dc[j] * forget
      i[j] = dc[j] * candidate * (input * (1 - input))
      f[j] = dc[j] * past[j] * (forget * (1 - forget))
      g[j] = dc[j] * input * (1 - candidate * candidate)
    }
  }

  /// i = σ(i), g = tanh(g), c = (1 − i) ∘ c₋ + i ∘ g
  @inline(never) static func rememberCoupled(_ i: Row, _ g: Row, _ past: Row, _ c: Row) {
    for j in 0..<c.count {
      let (input, candidate) = (sigmoid(i[j]), tanh(g[j]))
      i[j] = input
      g[j] = candidate
      c[j] = (1 - input) * past[j] + input * candidate
    }
  }

  /// ∂c₋ = ∂c ∘ (1 − i), i becomes ∂i = ∂c ∘ (g − c₋) ∘ i ∘ (1 − i), and g becomes ∂g = ∂c ∘ i ∘ (1 − g²)
  @inline(never) static func differentiateCoupled(
    _ dc: Row, _ past: Row, _ i: Row, _ g: Row, _ dPast: Row
  ) {
    for j in 0..<dc.count {
      let (input, candidate) = (i[j], g[j])
      dPast[j] = dc[j] * (1 - input)
      i[j] = dc[j] * (candidate - past[j]) * (input * (1 - input))
      g[j] = dc[j] * input * (1 - candidate * candidate)
    }
  }

  /// i, f = σ(i, f), c = f ∘ c₋ + i ∘ g
  @inline(never) static func rememberLinear(_ i: Row, _ f: Row, _ g: Row, _ past: Row, _ c: Row) {
    for j in 0..<c.count {
      let (input, forget) = (sigmoid(i[j]), sigmoid(f[j]))
      i[j] = input
      f[j] = forget
      c[j] = forget * past[j] + input * g[j]
    }
  }

  /// o = σ(o), h = tanh(c ∘ o)
  @inline(never) static func respondInside(_ o: Row, _ c: Row, _ h: Row) {
    for j in 0..<h.count {
      let gate = sigmoid(o[j])
      o[j] = gate
      h[j] = tanh(c[j] * gate)
    }
  }

  /// With q = ∂h ∘ (1 − h²): ∂c += q ∘ o, and o becomes ∂o = q ∘ c ∘ o ∘ (1 − o)
  @inline(never) static func differentiateInside(
    _ dh: Row, _ h: Row, _ c: Row, _ o: Row, _ dc: Row
  ) {
    for j in 0..<dh.count {
      let gate = o[j]
      let through = dh[j] * (1 - h[j] * h[j]) * gate
      dc[j] += through
      o[j] = through * c[j] * (1 - gate)
    }
  }

  /// ∂c₋ = ∂c ∘ f, and the gates become ∂i = ∂c ∘ g ∘ i ∘ (1 − i), ∂f = ∂c ∘ c₋ ∘ f ∘ (1 − f) and
  /// ∂g = ∂c ∘ i
  @inline(never) static func differentiateLinear(
    _ dc: Row, _ past: Row, _ i: Row, _ f: Row, _ g: Row, _ dPast: Row
  ) {
    for j in 0..<dc.count {
      let (input, forget, candidate) = (i[j], f[j], g[j])
      dPast[j] = dc[j] * forget
      i[j] = dc[j] * candidate * (input * (1 - input))
      f[j] = dc[j] * past[j] * (forget * (1 - forget))
      g[j] = dc[j] * input
    }
  }

  /// a += p ∘ c, the diagonal weights of a peephole.
  @inline(never) static func look(at c: Row, _ p: Row, _ a: Row) {
    for j in 0..<a.count { a[j] += p[j] * c[j] }
  }
}
