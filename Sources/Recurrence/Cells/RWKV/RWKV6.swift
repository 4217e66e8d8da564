public import LinearAlgebra

/// The time mix of RWKV-6, "Finch" (Peng 2024), whose memory is a matrix for each head that forgets by a factor for each
/// number of a key, which depends on the input, and that reads its own step through a bonus:
///
///     δ = x(t−1) − x,   z = x + μ_z ∘ δ
///     x_* = x + (μ_* + tanh(z A_*) B_*) ∘ δ,   * each of r, w, k, v, g
///     r = x_r W_r,   k = x_k W_k,   v = x_v W_v,   g = x_g W_g
///     w = exp(−exp(w₀ + tanh(x_w A_w) B_w))
///     y(t) = S(t−1)ᵀ r + (r · (u ∘ k)) v,   S(t) = diag(w) S(t−1) + k vᵀ
///     h(t) = norm(y(t)) ∘ SiLU(g)
///
/// S has a row for each number of k of its head and a column for each of v. The norm, a LayerNorm, and · are those of
/// each head by itself. The product that follows, W_o, is one of the layer around the cell, such as that of a block.
///
/// First values: A = 0, B from U(±0.01), W_r and W_v orthogonal, W_k and W_g orthogonal times 0.1, and
/// `RWKV6FirstValues`.
///
/// - `heads`: the number of memories; in the paper's models of 64 units each.
/// - `input_weights: false`: x is the input itself, as in RWKV-6; otherwise a product of it.
/// - `mix_rank`, `decay_rank`: the columns of each A_* and of A_w.
/// - `norm_eps`: ε of the norm.
/// - `layer_index` of `layer_count`: the place of the layer, from which first values follow.
public struct RWKV6: MatrixStateCell {
  public static let equations = """
    δ = x₋ − x; x* = x + (μ* + tanh((x + μ_z∘δ) A*) B*)∘δ, * = r, w, k, v, g; r = x_r W_r; k = x_k W_k; \
    v = x_v W_v; g = x_g W_g; w = exp(−exp(w₀ + tanh(x_w A_w) B_w)); S = diag(w) S₋ + k vᵀ; \
    h = norm(S₋ᵀr + (r·(u∘k)) v)∘SiLU(g); input_weights: false: x is the input itself, else its product
    """
  public static let citation = "Peng 2024 (RWKV-6)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func readsInputItself(_ options: Options) -> Bool { !options.inputWeights }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, mixRank: 2, decayRank: 3),
      Options(
        hidden: 2 * hidden, heads: 2, mixRank: 3, decayRank: 1, normEps: 1e-2, layerIndex: 1,
        layerCount: 3),
    ]
  }

  /// The mixtures, in the order of their columns.
  private static let mixtures: [Character] = ["r", "w", "k", "v", "g"]

  /// x
  public let preactivation: Activation
  public let output: Activation
  /// S of each head.
  public let memory: Activation
  public let workspace: Scratch
  public let heads: Int
  private let hidden: Int

  /// x with the step before the window.
  private let line: Activation
  /// δ, and z.
  private let change, first: Activation
  private let firstMix: Parameter
  /// μ_* + tanh(z A_*) B_*, and x_*, each of r, w, k, v and g.
  private let factors, mixed: Activation
  private let mixMaps: [LowRankMap]
  private let receptanceWeight, keyWeight, valueWeight, gateWeight: Parameter
  private let decayMap: LowRankMap
  private let bonus: Parameter
  private let norm: RowNormalization

  /// r, k, v and g.
  private let receptance, keys, values, gates: Activation
  /// −ln w
  private let decay: Activation
  /// y; and its norm, which becomes its gradient.
  private let read, normed: Activation
  /// Rows of the units of a head.
  private let room: Scratch

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    (heads, hidden) = (options.heads, n)
    let size = n / heads
    let values = RWKV6FirstValues(options)
    preactivation = plan.activation(n, derivative: .overwrites)
    line = plan.state(n, named: "x", derivative: .rolling)
    memory = plan.chunkedState(heads * size * size, named: "S")
    workspace = plan.chunkScratch(size * size)
    // k vᵀ and S₋ᵀ r
    plan.countProducts(2 * size * n)
    change = plan.activation(n)
    first = plan.activation(n)
    factors = plan.activation(5 * n, derivative: .overwrites)
    mixed = plan.activation(5 * n, derivative: .overwrites)
    receptance = plan.activation(n, derivative: .overwrites)
    keys = plan.activation(n, derivative: .overwrites)
    self.values = plan.activation(n, derivative: .overwrites)
    gates = plan.activation(n, derivative: .overwrites)
    decay = plan.activation(n, derivative: .overwrites)
    read = plan.activation(n)
    normed = plan.activation(n, derivative: .overwrites)
    output = plan.activation(n)
    room = plan.scratch(Room.rows * size)

    func vector(_ name: String, _ first: [Double]) -> Parameter {
      plan.vector(name, count: n, pytorch: .zero, parts: [.init(0, of: 1, .given(first))])
    }
    func matrix(_ name: String, _ gain: Double) -> Parameter {
      plan.parameter(name, from: n, to: n, pytorch: .orthogonal(gain))
    }
    func map(_ name: String, _ rank: Int, _ bias: [Double]) -> LowRankMap {
      LowRankMap(
        name, width: n, rank: rank, .tanh, bias: bias, spread: .uniform(0.01), in: &plan)
    }
    firstMix = vector("x_z", values.mix("z"))
    mixMaps = Self.mixtures.map { map("x_\($0)", options.mixRank, values.mix($0)) }
    receptanceWeight = matrix("weight_receptance", 1)
    keyWeight = matrix("weight_key", 0.1)
    valueWeight = matrix("weight_value", 1)
    gateWeight = matrix("weight_gate", 0.1)
    decayMap = map("w", options.decayRank, values.decay)
    bonus = vector("u", values.bonus)
    norm = RowNormalization(
      NormOptions(.layernorm, eps: options.normEps), width: n, heads: heads, prefix: "ln_x_",
      gain: values.gain, in: &plan)
  }

  // MARK: Steps

  public func mixInput(_ t: Int, _ pass: Pass) {
    let (x, past, mix) = (pass[line, t], pass.before(line, t), pass[firstMix].row)
    let (delta, z) = (pass[change, t], pass[first, t])
    x.copy(pass[preactivation, t])
    for s in 0..<pass.streams {
      subtract(past[s], x[s], into: delta[s])
      addScaled(x[s], mix, delta[s], into: z[s])
    }
  }

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let (factors, mixed) = (pass[factors].slice(rows: own), pass[mixed].slice(rows: own))
    for c in mixMaps.indices {
      mixMaps[c].forward(
        pass[first].slice(rows: own), into: factors.part(c, of: 5), own, pass)
    }
    for (k, i) in own.enumerated() {
      let (x, delta) = (pass[preactivation][i], pass[change][i])
      for c in 0..<5 {
        addScaled(x, factors[k].part(c, of: 5), delta, into: mixed[k].part(c, of: 5))
      }
    }
    let w = pass[decay].slice(rows: own)
    decayMap.forward(mixed.part(1, of: 5), into: w, own, pass)
    for k in 0..<w.rows { setDecay(w[k]) }
    pass[receptance].slice(rows: own).setProduct(mixed.part(0, of: 5), pass[receptanceWeight])
    pass[keys].slice(rows: own).setProduct(mixed.part(2, of: 5), pass[keyWeight])
    pass[values].slice(rows: own).setProduct(mixed.part(3, of: 5), pass[valueWeight])
    pass[gates].slice(rows: own).setProduct(mixed.part(4, of: 5), pass[gateWeight])
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let i = t * pass.streams + s
    let (a, room) = (Parts(i, head, self, pass), Room(self, pass))
    setPowers(a.decay, room.w)
    if past.elements.baseAddress != now.elements.baseAddress { now.copy(past) }
    let state = square(now)
    guard reading else { return DecayMemory.advance(state, a: room.w, k: a.k, a.v) }
    let y = part(read, i, head, pass)
    DecayMemory.advance(state, a: room.w, k: a.k, a.v, reading: .before, a.r, into: y)
    setProducts(a.r, a.k, a.bonus, room.dk)
    add(room.dk.sum, times: a.v, to: y)
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let normed = pass[normed].slice(rows: own)
    norm.forward(pass[read].slice(rows: own), into: normed, from: own.lowerBound, pass)
    PointwiseFunction.silu.gate(
      pass[gates].slice(rows: own), normed, into: pass[output].slice(rows: own))
  }

  // MARK: Backward

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let normed = pass[normed].slice(rows: own)
    PointwiseFunction.silu.differentiateGate(
      pass.d[output].slice(rows: own), pass[gates].slice(rows: own), overwriting: normed)
    norm.backward(
      normed, reading: pass[read].slice(rows: own), into: pass.d[read].slice(rows: own),
      from: own.lowerBound, pass)
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let i = t * pass.streams + s
    let (a, room) = (Parts(i, head, self, pass), Room(self, pass))
    let dy = pass.d[read][i].part(head, of: heads)

    // c v with c = r · (u ∘ k)
    let dBonus = dy.dot(a.v)
    setProducts(a.r, a.k, a.bonus, room.dk)
    let weight = room.dk.sum
    room.dr.fill(0)
    room.dk.fill(0)
    differentiateBonus(dBonus, a.r, a.k, a.bonus, room.dr, room.dk)
    addProducts(dBonus, a.r, a.k, pass.d[bonus].row.part(head, of: heads))

    // S₋ᵀ r, and S = diag(w) S₋ + k vᵀ
    setPowers(a.decay, room.w)
    setPowers(a.decay, room.dw)
    DecayMemory.retreat(
      square(gradient), past: square(past), now: square(now), a: room.dw, k: a.k, a.v,
      reading: .before, a.r, dy, room.dv)
    a.r.add(room.dr)
    a.k.add(room.dk)
    add(weight, times: dy, to: room.dv)
    a.v.copy(room.dv)
    differentiatePowers(room.dw, room.w, a.decay)
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let (factors, mixed) = (pass[factors].slice(rows: own), pass[mixed].slice(rows: own))
    back(receptance, receptanceWeight, mixed.part(0, of: 5), own, pass)
    back(keys, keyWeight, mixed.part(2, of: 5), own, pass)
    back(values, valueWeight, mixed.part(3, of: 5), own, pass)
    back(gates, gateWeight, mixed.part(4, of: 5), own, pass)
    decayMap.backward(pass[decay].slice(rows: own), reading: mixed.part(1, of: 5), own, pass)
    decayMap.inputGradient(into: mixed.part(1, of: 5), adding: false, own, pass)

    // x becomes its gradient, but for that of δ.
    pass[preactivation].slice(rows: own).fill(0)
    for (k, i) in own.enumerated() {
      for c in 0..<5 {
        differentiateFactor(
          mixed[k].part(c, of: 5), factors[k].part(c, of: 5), pass[change][i], pass.d[change][i],
          pass[preactivation][i])
      }
    }
    let dFirst = pass.d[first].slice(rows: own)
    for c in mixMaps.indices {
      mixMaps[c].backward(
        factors.part(c, of: 5), reading: pass[first].slice(rows: own), own, pass)
      mixMaps[c].inputGradient(into: dFirst, adding: true, own, pass)
    }
    let (mix, dMix) = (pass[firstMix].row, pass.d[firstMix].row)
    for (k, i) in own.enumerated() {
      pass[preactivation][i].add(dFirst[k])
      addProducts(1, dFirst[k], mix, pass.d[change][i])
      addProducts(1, dFirst[k], pass[change][i], dMix)
    }
  }

  /// Adds to the gradient of a matrix, and turns what it multiplies into its gradient.
  private func back(
    _ y: Activation, _ weight: Parameter, _ x: Matrix, _ own: Range<Int>, _ pass: Pass
  ) {
    let dy = pass[y].slice(rows: own)
    pass.d[weight].addProduct(dy.transposed, x)
    x.setProduct(dy, pass[weight].transposed)
  }

  public func mixInputBack(_ t: Int, _ pass: Pass) {
    let (dx, dPast) = (pass[preactivation, t], pass.d.before(line, t))
    let (dLine, dChange) = (pass.d[line, t], pass.d[change, t])
    for s in 0..<pass.streams {
      addDifference(dLine[s], dChange[s], to: dx[s])
      dPast[s].copy(dChange[s])
    }
  }

  public func accumulate(_ pass: Pass) {}

  // MARK: Parts

  @inline(__always)
  private func part(_ x: Activation, _ i: Int, _ head: Int, _ pass: Pass) -> Row {
    pass[x][i].part(head, of: heads)
  }

  @inline(__always) private func square(_ row: Row) -> Matrix {
    Matrix(row.elements.baseAddress!, rows: hidden / heads, columns: hidden / heads)
  }

  /// The part of a head in the rows of a step, and in u.
  private struct Parts {
    let r, k, v, decay, bonus: Row

    @inline(__always) init(_ i: Int, _ head: Int, _ cell: RWKV6, _ pass: Pass) {
      r = cell.part(cell.receptance, i, head, pass)
      k = cell.part(cell.keys, i, head, pass)
      v = cell.part(cell.values, i, head, pass)
      decay = cell.part(cell.decay, i, head, pass)
      bonus = pass[cell.bonus].row.part(head, of: cell.heads)
    }
  }

  /// Rows of the scratch memory: w, and gradients.
  private struct Room {
    static let rows = 5

    let w, dw, dr, dk, dv: Row

    @inline(__always) init(_ cell: RWKV6, _ pass: Pass) {
      let all = Matrix(pass.scratch(cell.room), rows: Self.rows, columns: cell.hidden / cell.heads)
      (w, dw, dr, dk, dv) = (all[0], all[1], all[2], all[3], all[4])
    }
  }
}

/// y = x − z
@inline(never) private func subtract(_ x: Row, _ z: Row, into y: Row) {
  for j in 0..<y.count { y[j] = x[j] - z[j] }
}
/// y = x + f ∘ δ
@inline(never) private func addScaled(_ x: Row, _ f: Row, _ delta: Row, into y: Row) {
  for j in 0..<y.count { y[j] = x[j] + f[j] * delta[j] }
}
/// y += x − z
@inline(never) private func addDifference(_ x: Row, _ z: Row, to y: Row) {
  for j in 0..<y.count { y[j] += x[j] - z[j] }
}
/// f becomes ∂f = ∂y ∘ δ, ∂δ += ∂y ∘ f and ∂x += ∂y
@inline(never) private func differentiateFactor(
  _ dy: Row, _ f: Row, _ delta: Row, _ dDelta: Row, _ dx: Row
) {
  for j in 0..<dy.count {
    let factor = f[j]
    f[j] = dy[j] * delta[j]
    dDelta[j] += dy[j] * factor
    dx[j] += dy[j]
  }
}
/// e becomes exp(e), up to a number beyond which w is 0 and its gradient too.
@inline(never) private func setDecay(_ e: Row) {
  for j in 0..<e.count { e[j] = exp(e[j] < 30 ? e[j] : 30) }
}
/// w = exp(−e)
@inline(never) private func setPowers(_ e: Row, _ w: Row) {
  for j in 0..<w.count { w[j] = exp(-e[j]) }
}
/// e becomes the gradient of the number whose exponential it is.
@inline(never) private func differentiatePowers(_ dw: Row, _ w: Row, _ e: Row) {
  for j in 0..<w.count { e[j] *= -dw[j] * w[j] }
}
