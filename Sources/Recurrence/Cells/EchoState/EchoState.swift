internal import LinearAlgebra

/// A reservoir of random weights that are never trained: `x̃ = tanh([1, u] W_in + x₋ W)`, `x = (1 −
/// a) x₋ + a x̃` (Jaeger 2001; with a leak, Jaeger, Lukoševičius, Popovici & Siewert 2007).
///
/// W has `connections` weights per unit, drawn from U(±1) and then scaled to the spectral radius of
/// the options. W_in is drawn from U(±`input_scaling`), and its row for the constant 1 from
/// U(±`bias_scaling`). All of them are constants that are generated again from the seed. Layers
/// below the reservoir, output feedback and a learnt initial state get their exact gradients.
/// Without any of these no gradient is computed.
public struct EchoState: RecurrentCell {
  public static let equations = """
    x̃ = tanh([1,u] W_in + x₋ W), x = (1−a) x₋ + a x̃; \
    W_in and W are random and never learnt; W is sparse and scaled to a spectral radius
    """
  public static let citation = "Jaeger 2001, 2007"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, connections: 2),
      Options(hidden: hidden, spectralRadius: 1.2, leak: 0.4),
    ]
  }

  public static func fixedInput(_ options: Options) -> (weight: ConstantValue, bias: ConstantValue)?
  {
    (
      ConstantValue { $1.fillUniform($0, scale: options.inputScaling) },
      ConstantValue { $1.fillUniform($0, scale: options.biasScaling) }
    )
  }

  public let preactivation, output: Activation
  /// W in two parts: the value of weight k of unit j, and the index of the unit it reads, stored as
  /// the bits of a number.
  private let values, places: Parameter
  private let leak: Real
  /// x̃
  private let candidate: Activation

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    leak = Real(options.leak)
    preactivation = plan.activation(n, derivative: .overwrites)
    output = plan.state(n)
    candidate = plan.activation(n, derivative: .none)
    let perUnit = min(options.connections, n)
    let radius = options.spectralRadius
    // Both parts are generated from random numbers of the same key.
    let key = plan.scope.prefix + "weight_hh" + plan.scope.suffix
    let seed = plan.seed
    @Sendable func drawn() -> SparseRows {
      SparseRows(size: n, perRow: perUnit, from: Philox(seed: seed, name: key))
    }
    values = plan.constant(
      "weight_hh", rows: perUnit, columns: n,
      ConstantValue { matrix, _ in
        var rows = drawn()
        let own = rows.spectralRadius
        if own > 0 { rows.scale(by: radius / own) }
        for j in 0..<n {
          for k in 0..<perUnit { matrix[k, j] = Real(rows.values[j * perUnit + k]) }
        }
      })
    places = plan.constant(
      "places_hh", rows: perUnit, columns: n,
      ConstantValue { matrix, _ in
        let rows = drawn()
        for j in 0..<n {
          for k in 0..<perUnit { matrix[k, j] = Real(place: rows.columns[j * perUnit + k]) }
        }
      })
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let (a, past, x) = (pass[preactivation, t], pass.before(output, t), pass[output, t])
    let (read, value) = (pass.read(output, t), pass[candidate, t])
    let (w, from) = (pass[values].matrix, pass[places].matrix)
    for s in 0..<pass.streams {
      for k in 0..<w.rows { gather(w[k], from[k], read[s], a[s]) }
      respond(a[s], past[s], leak, value[s], x[s])
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (da, dx, dPast) = (
      pass.d[preactivation, t], pass.d[output, t], pass.d.before(output, t)
    )
    let (dRead, value) = (pass.d.read(output, t), pass[candidate, t])
    let (w, from) = (pass[values].matrix, pass[places].matrix)
    for s in 0..<pass.streams {
      differentiate(dx[s], value[s], leak, da[s], dPast[s])
      for k in 0..<w.rows { scatter(w[k], from[k], da[s], dRead[s]) }
    }
  }

  public func accumulate(_ pass: Pass) {}
}

extension Real {
  /// Stores an index as the bits of a number, so that reading it back takes no conversion.
  fileprivate init(place: Int) { self.init(bitPattern: .init(truncatingIfNeeded: place)) }
  fileprivate var place: Int {
    @inline(__always) get { Int(truncatingIfNeeded: bitPattern) }
  }
}

/// aⱼ += wⱼ x(fromⱼ)
@inline(never) private func gather(_ w: Row, _ from: Row, _ x: Row, _ a: Row) {
  for j in 0..<a.count { a[j] += w[j] * x[from[j].place] }
}
/// ∂x(fromⱼ) += wⱼ ∂aⱼ
@inline(never) private func scatter(_ w: Row, _ from: Row, _ da: Row, _ dx: Row) {
  for j in 0..<da.count { dx[from[j].place] += w[j] * da[j] }
}
@inline(never) private func respond(
  _ a: Row, _ past: Row, _ leak: Real, _ value: Row, _ x: Row
) {
  for j in 0..<a.count {
    let v = tanh(a[j])
    value[j] = v
    x[j] = past[j] + leak * (v - past[j])
  }
}
@inline(never) private func differentiate(
  _ dx: Row, _ value: Row, _ leak: Real, _ da: Row, _ dPast: Row
) {
  for j in 0..<dx.count {
    da[j] = dx[j] * leak * (1 - value[j] * value[j])
    dPast[j] += (1 - leak) * dx[j]
  }
}
