internal import LinearAlgebra
public import Recurrence

/// The limits of gradient clipping: `clip: {norm: 5}`. All limits apply to the scaled gradient,
/// which is that of the mean loss.
public struct ClipOptions: Codable, Sendable, Equatable {
  /// The largest absolute value of each number.
  public var value: Double?
  /// λ in ‖g‖ ≤ λ · max(‖w‖, 10⁻³), for each row of a matrix and each vector.
  public var adaptive: Double?
  /// The largest norm of each parameter's gradient.
  public var perParameter: Double?
  /// The largest norm over all parameters.
  public var norm: Double?

  private enum CodingKeys: String, CodingKey {
    case value, adaptive, norm
    case perParameter = "per_parameter"
  }

  /// Makes options without clipping, except for the given limits.
  public init(
    value: Double? = nil, adaptive: Double? = nil, perParameter: Double? = nil,
    norm: Double? = nil
  ) {
    self.value = value
    self.adaptive = adaptive
    self.perParameter = perParameter
    self.norm = norm
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func limit(_ key: CodingKeys) throws -> Double? {
      try container.decode(key, "a finite number above 0, or leave it out") {
        0 < $0 && $0.isFinite
      }
    }
    value = try limit(.value)
    adaptive = try limit(.adaptive)
    perParameter = try limit(.perParameter)
    norm = try limit(.norm)
  }
}

/// The result of clipping, which the optimizer needs.
public struct Clipped: Sendable, Equatable {
  /// ‖scale · gradient‖ before clipping, without frozen parameters; not finite if any number is
  /// not.
  public let norm: Double
  /// The scale to pass to the optimizer.
  public let scale: Double
}

/// Clips gradients after the all-reduce.
///
/// The given limits apply one after another, from small to large: each number (`value`), each row
/// (`adaptive`), each parameter (`per_parameter`), all of them (`norm`). Each applies to the result
/// of those before it. A norm limit multiplies by min(1, limit/(‖g‖ + 10⁻⁶)), as PyTorch's
/// `clip_grad_norm_` does. The global norm limit reads the gradient once and changes only the
/// scale; the other limits change the gradient in place.
///
/// Norms are summed in double precision in the order of the layout, so the same gradient gives the
/// same bits on every rank. A tied matrix counts once; frozen parameters and rows that no window
/// has touched do not count.
///
/// Papers: Pascanu et al. 2013 (`norm`), Brock et al. 2021 (`adaptive`, which excludes the output
/// layer).
public struct Clipper: Sendable {
  private let options: ClipOptions
  private let output: Set<Parameter>

  /// - Parameter output: Parameters of the output layer besides those whose names start with
  ///   `decoder.`, such as a matrix tied to the embedding.
  public init(_ options: ClipOptions, output: Set<Parameter> = []) {
    self.options = options
    self.output = output
  }

  /// Measures and clips the gradient `scale · gradient`.
  ///
  /// Returns a norm that is not finite unchanged, without changing the gradient or the scale.
  public func clip(
    _ gradient: ParameterVector, weights: ParameterVector, scale: Double
  ) -> Clipped {
    precondition(scale > 0 && scale.isFinite, "a gradient times \(scale)")
    precondition(
      gradient.layout.count == weights.layout.count,
      "a gradient of \(gradient.layout.count) numbers for \(weights.layout.count) weights")
    let norm = scale * gradient.norm
    guard norm.isFinite else { return Clipped(norm: norm, scale: scale) }
    var remaining = norm
    if options.value != nil || options.adaptive != nil || options.perParameter != nil {
      for entry in gradient.layout.entries where !entry.isFrozen {
        clip(entry, of: gradient, weights: weights, scale: scale)
      }
      if options.norm != nil { remaining = scale * gradient.norm }
    }
    guard let limit = options.norm else { return Clipped(norm: norm, scale: scale) }
    return Clipped(norm: norm, scale: scale * factor(limit, remaining))
  }

  /// Applies the limits that concern a single parameter.
  private func clip(
    _ entry: ParameterLayout.Entry, of gradient: ParameterVector, weights: ParameterVector,
    scale: Double
  ) {
    if let value = options.value {
      gradient.forEachTouched(entry) { clamp(gradient.row($0), Real(value / scale)) }
    }
    if let ratio = options.adaptive, !isOutput(entry) {
      gradient.forEachTouchedRow(entry) { i in
        let limit = ratio * max(norm(weights[entry][i]), 1e-3)
        let found = scale * norm(gradient[entry][i])
        if found > limit { multiply(gradient[entry][i], Real(limit / found)) }
      }
    }
    if let limit = options.perParameter {
      let factor = factor(limit, scale * gradient.squaredNorm(of: entry).squareRoot())
      if factor < 1 {
        gradient.forEachTouched(entry) { multiply(gradient.row($0), Real(factor)) }
      }
    }
  }

  private func isOutput(_ entry: ParameterLayout.Entry) -> Bool {
    entry.name.hasPrefix("decoder.") || output.contains(entry.parameter)
  }
}

extension ParameterVector {
  /// The Euclidean norm over all parameters that are not frozen, in double precision.
  public var norm: Double {
    var total = 0.0
    for entry in layout.entries where !entry.isFrozen {
      total += squaredNorm(of: entry)
    }
    return total.squareRoot()
  }

  /// Returns the sum of squares of a parameter. A row-sparse parameter is summed row by row, so
  /// that skipping rows of zeros does not change a bit.
  fileprivate func squaredNorm(of entry: ParameterLayout.Entry) -> Double {
    guard entry.isRowSparse else { return row(entry).squaredNorm }
    var total = 0.0
    forEachTouchedRow(entry) { total += self[entry][$0].squaredNorm }
    return total
  }

  /// Calls `body` with each row of a parameter that may not be zero.
  fileprivate func forEachTouchedRow(_ entry: ParameterLayout.Entry, _ body: (Int) -> Void) {
    guard let rows = touchedRows(entry.parameter) else { return (0..<entry.rows).forEach(body) }
    rows.forEachRun { $0.forEach(body) }
  }
}

private func norm(_ x: Row) -> Double {
  x.squaredNorm.squareRoot()
}

/// Returns the factor that brings a norm below its limit.
private func factor(_ limit: Double, _ norm: Double) -> Double { min(1, limit / (norm + 1e-6)) }

@inline(never) private func clamp(_ g: Row, _ limit: Real) {
  for j in 0..<g.count {
    let x = g[j]
    g[j] = x > limit ? limit : (x < -limit ? -limit : x)
  }
}

@inline(never) private func multiply(_ g: Row, _ factor: Real) {
  for j in 0..<g.count { g[j] *= factor }
}
