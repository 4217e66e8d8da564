public import LinearAlgebra

/// The time mix of RWKV-7 (Peng 2025), whose memory is a matrix for each head that forgets by a decay of each
/// column and by a removal of what it holds for a key:
///
///     x_* = x + μ_* ∘ (x(t−1) − x),   * each of r, w, k, v, a, g
///     r = x_r W_r,   k̂ = x_k W_k,   v = x_v W_v
///     w = exp(−e^(−½) σ(w₀ + tanh(x_w A_w) B_w))
///     a = σ(a₀ + x_a A_a B_a),   g = σ(x_g A_g) B_g
///     κ = k̂ ∘ k_k / ‖k̂ ∘ k_k‖,   k = k̂ ∘ (1 + (a − 1) ∘ k_a)
///     S(t) = S(t−1) diag(w) − (S(t−1) κ) (κ ∘ a)ᵀ + v kᵀ
///     h(t) = g ∘ (norm(S(t) r) + (r · (k ∘ r_k)) v)
///
/// S has a row for each number of v and a column for each of k. The norm, ‖·‖ and · are those of each head by
/// itself. The product that follows, W_o, is one of the layer around the cell, such as that of a block.
///
/// - `heads`: the number of memories.
/// - `input_weights: false`: x is the input itself, as in RWKV-7; otherwise a product of it.
/// - `value_residual: true`: v becomes v + (v₁ − v) ∘ σ(v₀ + x_v A_v B_v), v₁ that of the first layer of this
///   cell and width, as in all layers but the first.
/// - `decay_rank`, `rate_rank`, `value_rank`, `gate_rank`: the columns of A_w, A_a, A_v and A_g.
/// - `norm_eps`: ε of the norm.
/// - `layer_index` of `layer_count`: the place of the layer, from which first values follow.
public struct RWKV7: MatrixStateCell {
  public static let equations = """
    x* = x + μ*∘(x₋ − x), * = r, w, k, v, a, g; r = x_r W_r; k̂ = x_k W_k; v = x_v W_v; \
    w = exp(−σ(w₀ + tanh(x_w A_w) B_w)/√e); a = σ(a₀ + x_a A_a B_a); g = σ(x_g A_g) B_g; \
    κ = k̂∘k_k/‖k̂∘k_k‖; k = k̂∘(1 + (a−1)∘k_a); S = S₋ diag(w) − (S₋κ)(κ∘a)ᵀ + v kᵀ; \
    h = g∘(norm(S r) + (r·(k∘r_k)) v); \
    value_residual: true: v + (v₁ − v)∘σ(v₀ + x_v A_v B_v) for v, v₁ that of the first such layer; \
    input_weights: false: x is the input itself, else its product
    """
  public static let citation = "Peng 2025 (RWKV-7)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func readsInputItself(_ options: Options) -> Bool { !options.inputWeights }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, decayRank: 3, rateRank: 2, gateRank: 4),
      Options(
        hidden: hidden, decayRank: 1, rateRank: 3, gateRank: 2, normEps: 1e-2, layerIndex: 1,
        layerCount: 3),
    ]
  }

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
  /// μ of r, w, k, v, a and g, and [x_r, x_w, x_k, x_v, x_a, x_g].
  private let mixes: [Parameter]
  private let mixed: Activation
  private let receptanceWeight, keyWeight, valueWeight: Parameter
  private let decayMap, rateMap, gateMap: LowRankMap
  private let valueMap: LowRankMap?
  private let removal, keyMix, bonusMix: Parameter
  private let norm: RowNormalization

  /// r, k̂ and v before it is mixed.
  private let receptance, keys, values: Activation
  /// [σ(…) of w, a], and g.
  private let gateValues, outputGate: Activation
  /// v₁ and σ(…) of v; nil where v is not mixed.
  private let firstValues, valueGate: Activation?
  /// S r; its norm, which becomes its gradient; and r · (k ∘ r_k) of each head.
  private let read, normed, bonus: Activation
  /// Rows of the units of a head.
  private let room: Scratch

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    (heads, hidden) = (options.heads, n)
    let size = n / heads
    let first = RWKV7FirstValues(options)
    preactivation = plan.activation(n, derivative: .overwrites)
    line = plan.state(n, named: "x", derivative: .rolling)
    memory = plan.chunkedState(heads * size * size, named: "S")
    workspace = plan.chunkScratch(size * size)
    // S κ, its product with κ ∘ a, v kᵀ and S r
    plan.countProducts(4 * size * n)
    mixed = plan.activation(6 * n, derivative: .overwrites)
    // A cell that is planned alone has no layer below.
    firstValues = options.valueResidual ? plan.offeredValues(width: n) : nil
    let isMixed = firstValues != nil
    receptance = plan.activation(n, derivative: .overwrites)
    keys = plan.activation(n, derivative: .overwrites)
    values = plan.activation(n, derivative: isMixed ? .overwrites : .added)
    gateValues = plan.activation(2 * n, derivative: .overwrites)
    outputGate = plan.activation(n, derivative: .overwrites)
    valueGate = isMixed ? plan.activation(n, derivative: .overwrites) : nil
    read = plan.activation(n)
    normed = plan.activation(n, derivative: .overwrites)
    bonus = plan.activation(heads, derivative: .none)
    output = plan.activation(n)
    room = plan.scratch(Room.rows * size)

    func vector(_ name: String, _ first: [Double]) -> Parameter {
      plan.vector(name, count: n, pytorch: .zero, parts: [.init(0, of: 1, .given(first))])
    }
    func matrix(_ name: String, _ bound: Double) -> Parameter {
      plan.parameter(
        name, from: n, to: n, pytorch: .uniform(bound / Double(n).squareRoot()))
    }
    mixes = zip(["r", "w", "k", "v", "a", "g"], [0.2, 0.9, 0.7, 0.7, 0.9, 0.2]).map {
      vector("x_" + $0, first.mix($1))
    }
    receptanceWeight = matrix("weight_receptance", 0.5)
    keyWeight = matrix("weight_key", 0.05)
    valueWeight = matrix("weight_value", 0.5)
    decayMap = LowRankMap(
      "w", width: n, rank: options.decayRank, .tanh, bias: first.decay, in: &plan)
    rateMap = LowRankMap(
      "a", width: n, rank: options.rateRank, .identity, bias: first.rate, in: &plan)
    valueMap =
      isMixed
      ? LowRankMap(
        "v", width: n, rank: options.valueRank, .identity, bias: first.value, in: &plan) : nil
    gateMap = LowRankMap("g", width: n, rank: options.gateRank, .sigmoid, bias: nil, in: &plan)
    removal = vector("k_k", first.removal)
    keyMix = vector("k_a", Array(repeating: 1.02, count: n))
    bonusMix = vector("r_k", Array(repeating: -0.04, count: n))
    norm = RowNormalization(
      NormOptions(.layernorm, eps: options.normEps), width: n, heads: heads, prefix: "ln_x_",
      gain: first.gain, in: &plan)
    if !isMixed { plan.offer(values) }
  }

  public var gateBlocks: [GateBlock] { [GateBlock("a", gateValues, 1, of: 2)] }

  // MARK: Steps

  public func mixInput(_ t: Int, _ pass: Pass) {
    let (x, past, y) = (pass[line, t], pass.before(line, t), pass[mixed, t])
    x.copy(pass[preactivation, t])
    for k in 0..<6 {
      let mix = pass[mixes[k]].row
      for s in 0..<pass.streams { interpolate(mix, x[s], past[s], y[s].part(k, of: 6)) }
    }
  }

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let x = pass[mixed].slice(rows: own)
    let gates = pass[gateValues].slice(rows: own)
    pass[receptance].slice(rows: own).setProduct(x.part(0, of: 6), pass[receptanceWeight])
    decayMap.forward(x.part(1, of: 6), into: gates.part(0, of: 2), own, pass)
    pass[keys].slice(rows: own).setProduct(x.part(2, of: 6), pass[keyWeight])
    pass[values].slice(rows: own).setProduct(x.part(3, of: 6), pass[valueWeight])
    rateMap.forward(x.part(4, of: 6), into: gates.part(1, of: 2), own, pass)
    for i in 0..<gates.rows { setSigmoid(gates[i]) }
    if let valueMap, let valueGate {
      let gate = pass[valueGate].slice(rows: own)
      valueMap.forward(x.part(3, of: 6), into: gate, own, pass)
      for i in 0..<gate.rows { setSigmoid(gate[i]) }
    }
    gateMap.forward(x.part(5, of: 6), into: pass[outputGate].slice(rows: own), own, pass)
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let i = t * pass.streams + s
    let (a, room) = (Parts(i, head, self, pass), Room(self, pass))
    prepare(a, room)
    let v = mixedValues(i, head, room.v, pass)
    if past.elements.baseAddress != now.elements.baseAddress { now.copy(past) }
    let state = square(now)
    DeltaMemory.advance(state, w: room.w, removing: room.unit, at: room.rate, v, room.k)
    guard reading else { return }
    multiplyTransposed(state, a.r, into: pass[read][i].part(head, of: heads))
    setProducts(a.r, room.k, a.bonusMix, room.dk)
    pass[bonus][i, head] = room.dk.sum
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    norm.forward(
      pass[read].slice(rows: own), into: pass[normed].slice(rows: own), from: own.lowerBound, pass)
    let room = Room(self, pass)
    for i in own {
      for head in 0..<heads {
        gateSum(
          part(outputGate, i, head, pass), part(normed, i, head, pass), pass[bonus][i, head],
          mixedValues(i, head, room.v, pass), part(output, i, head, pass))
      }
    }
  }

  // MARK: Backward

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let room = Room(self, pass)
    for i in own {
      for head in 0..<heads {
        differentiateGatedSum(
          pass.d[output][i].part(head, of: heads), part(outputGate, i, head, pass),
          part(normed, i, head, pass), pass[bonus][i, head], mixedValues(i, head, room.v, pass))
      }
    }
    norm.backward(
      pass[normed].slice(rows: own), reading: pass[read].slice(rows: own),
      into: pass.d[read].slice(rows: own), from: own.lowerBound, pass)
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let i = t * pass.streams + s
    let (a, room) = (Parts(i, head, self, pass), Room(self, pass))
    prepare(a, room)
    let v = mixedValues(i, head, room.v, pass)
    let (before, after, d) = (square(past), square(now), square(gradient))

    // y = S r
    let dy = pass.d[read][i].part(head, of: heads)
    addProduct(dy, a.r, to: d)
    multiply(after, dy, into: room.dr)

    // S = S₋ diag(w) − (S₋ κ) bᵀ + v kᵀ, b = κ ∘ a
    multiplyTransposed(before, room.unit, into: room.removed)
    room.removed.scale(by: -1)
    multiplyTransposed(d, room.k, into: room.dv)
    multiply(d, v, into: room.dk)
    multiplyTransposed(d, room.rate, into: room.dRemoved)
    multiply(d, room.removed, into: room.dRate)
    multiply(before, room.dRemoved, into: room.dUnit)
    DeltaMemory.columnProducts(before, d, into: room.dw)
    DeltaMemory.retreat(d, w: room.w, removing: room.unit, room.dRemoved)

    // c = r · (k ∘ r_k), and the gradient of what is added to the norm
    let dn = part(normed, i, head, pass)
    let dBonus = dn.dot(v)
    add(pass[bonus][i, head], times: dn, to: room.dv)
    differentiateBonus(dBonus, a.r, room.k, a.bonusMix, room.dr, room.dk)
    addProducts(dBonus, a.r, room.k, pass.d[bonusMix].row.part(head, of: heads))

    differentiateDecay(room.dw, room.w, a.decay)
    differentiateKeys(a, room, head, pass)
    a.r.copy(room.dr)
    differentiateValues(room.dv, i, head, pass)
  }

  /// The backward pass of κ, b = κ ∘ a and k.
  private func differentiateKeys(_ a: Parts, _ room: Room, _ head: Int, _ pass: Pass) {
    // ∂κ = −S₋ᵀ ∂(S₋ κ) + ∂b ∘ a, then that of k̂ ∘ k_k.
    addRates(room.dRate, a.rate, room.dUnit)
    multiplyRows(a.key, a.removal, into: room.w)
    let length = room.w.dot(room.w).squareRoot()
    let along = room.unit.dot(room.dUnit)
    // A key of zeros has no direction, and none is learnt.
    let scale: Real = length > 1e-12 ? 1 / length : 0
    removeAlong(room.dUnit, room.unit, along, scale)
    addProducts(1, room.dUnit, a.key, pass.d[removal].row.part(head, of: heads))
    differentiateMix(room.dk, a.key, a.rate, pass.d[keyMix].row.part(head, of: heads))
    differentiateRate(room.dk, a.key, a.keyMix, room.dRate, room.unit, room.dRawRate)
    setKeyGradient(room.dk, a.rate, a.keyMix, a.key)
    addProducts(1, room.dUnit, a.removal, a.key)
    setRateGradient(room.dRawRate, a.rate)
  }

  /// The backward pass of v + (v₁ − v) ∘ q.
  private func differentiateValues(_ dv: Row, _ i: Int, _ head: Int, _ pass: Pass) {
    guard let firstValues, let valueGate else {
      pass.d[values][i].part(head, of: heads).add(dv)
      return
    }
    differentiateResidual(
      dv, part(values, i, head, pass), part(firstValues, i, head, pass),
      part(valueGate, i, head, pass), pass.d[firstValues][i].part(head, of: heads))
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let x = pass[mixed].slice(rows: own)
    let gates = pass[gateValues].slice(rows: own)
    let ofValues = x.part(3, of: 6)
    if let valueMap, let valueGate {
      valueMap.backward(pass[valueGate].slice(rows: own), reading: ofValues, own, pass)
    }
    back(pass.d[values].slice(rows: own), valueWeight, ofValues, pass)
    valueMap?.inputGradient(into: ofValues, adding: true, own, pass)
    back(pass[receptance].slice(rows: own), receptanceWeight, x.part(0, of: 6), pass)
    back(gates.part(0, of: 2), decayMap, x.part(1, of: 6), own, pass)
    back(pass[keys].slice(rows: own), keyWeight, x.part(2, of: 6), pass)
    back(gates.part(1, of: 2), rateMap, x.part(4, of: 6), own, pass)
    back(pass[outputGate].slice(rows: own), gateMap, x.part(5, of: 6), own, pass)
  }

  /// Adds to the gradient of a matrix, and turns what it multiplies into its gradient.
  private func back(_ dy: Matrix, _ weight: Parameter, _ x: Matrix, _ pass: Pass) {
    pass.d[weight].addProduct(dy.transposed, x)
    x.setProduct(dy, pass[weight].transposed)
  }

  private func back(
    _ dy: Matrix, _ map: LowRankMap, _ x: Matrix, _ own: Range<Int>, _ pass: Pass
  ) {
    map.backward(dy, reading: x, own, pass)
    map.inputGradient(into: x, adding: false, own, pass)
  }

  public func mixInputBack(_ t: Int, _ pass: Pass) {
    let (x, past, dy) = (pass[line, t], pass.before(line, t), pass[mixed, t])
    let (dx, dPast) = (pass[preactivation, t], pass.d.before(line, t))
    dx.copy(pass.d[line, t])
    dPast.fill(0)
    for k in 0..<6 {
      let (mix, dMix) = (pass[mixes[k]].row, pass.d[mixes[k]].row)
      for s in 0..<pass.streams {
        differentiateMixture(
          dy[s].part(k, of: 6), mix, x[s], past[s], dMix, dx[s], dPast[s])
      }
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

  /// Computes w, κ, k and κ ∘ a of a head.
  private func prepare(_ a: Parts, _ room: Room) {
    setDecay(a.decay, room.w)
    multiplyRows(a.key, a.removal, into: room.unit)
    let length = room.unit.dot(room.unit).squareRoot()
    room.unit.scale(by: 1 / (length > 1e-12 ? length : 1e-12))
    setKeys(a.key, a.rate, a.keyMix, room.k)
    multiplyRows(room.unit, a.rate, into: room.rate)
  }

  /// Returns v of a head, in `room` if it is mixed.
  private func mixedValues(_ i: Int, _ head: Int, _ room: Row, _ pass: Pass) -> Row {
    let own = part(values, i, head, pass)
    guard let firstValues, let valueGate else { return own }
    mixValues(own, part(firstValues, i, head, pass), part(valueGate, i, head, pass), room)
    return room
  }

  /// The part of a head in the rows of a step, and in those of parameters.
  private struct Parts {
    /// r, k̂, σ(…) of w, and a.
    let r, key, decay, rate: Row
    /// k_k, k_a and r_k.
    let removal, keyMix, bonusMix: Row

    @inline(__always) init(_ i: Int, _ head: Int, _ cell: RWKV7, _ pass: Pass) {
      let heads = cell.heads
      r = cell.part(cell.receptance, i, head, pass)
      key = cell.part(cell.keys, i, head, pass)
      let gates = pass[cell.gateValues][i]
      decay = gates.part(0, of: 2).part(head, of: heads)
      rate = gates.part(1, of: 2).part(head, of: heads)
      removal = pass[cell.removal].row.part(head, of: heads)
      keyMix = pass[cell.keyMix].row.part(head, of: heads)
      bonusMix = pass[cell.bonusMix].row.part(head, of: heads)
    }
  }

  /// Rows of the scratch memory.
  private struct Room {
    static let rows = 14

    /// w, κ, k, κ ∘ a and v.
    let w, unit, k, rate, v: Row
    /// −S₋ κ
    let removed: Row
    /// Gradients; `dRate` is that of κ ∘ a, and `dRawRate` that of a.
    let dr, dw, dk, dv, dUnit, dRate, dRemoved, dRawRate: Row

    @inline(__always) init(_ cell: RWKV7, _ pass: Pass) {
      let size = cell.hidden / cell.heads
      let all = Matrix(pass.scratch(cell.room), rows: Self.rows, columns: size)
      (w, unit, k, rate, v) = (all[0], all[1], all[2], all[3], all[4])
      removed = all[5]
      (dr, dw, dk, dv) = (all[6], all[7], all[8], all[9])
      (dUnit, dRate, dRemoved, dRawRate) = (all[10], all[11], all[12], all[13])
    }
  }
}
