internal import LinearAlgebra

/// A soft cap on logits, as in Gemma 2 (2024): l′ = c tanh(l / c), so |l′| < c, and
/// ∂l = ∂l′ (1 − (l′ / c)²).
struct LogitCap: Sendable {
  /// c
  private let limit: Double
  /// 1 − tanh²(l / c) of the row that was capped last.
  private let slopes: Scratch

  /// Returns nil if there is no limit.
  init?(_ limit: Double?, width: Int, in plan: inout Plan) {
    guard let limit else { return nil }
    self.limit = limit
    slopes = plan.scratch(width)
  }

  /// Caps a row of logits.
  func apply(to l: Row, _ pass: Pass) {
    let (c, inverse) = (Real(limit), Real(1 / limit))
    if pass.isTraining { cap(l, slopes(l.count, pass), c, inverse) } else { cap(l, c, inverse) }
  }

  /// Returns a capped logit and the slope of the cap there.
  func capped(_ l: Real) -> (logit: Real, slope: Real) {
    let t = tanh(l / Real(limit))
    return (Real(limit) * t, 1 - t * t)
  }

  /// Replaces the gradient with respect to the row that was capped last with that before the cap.
  func differentiate(_ dl: Row, _ pass: Pass) { multiply(dl, by: slopes(dl.count, pass)) }

  private func slopes(_ count: Int, _ pass: Pass) -> Row {
    Row(pass.scratch(slopes).start, count: count)
  }
}

/// l = c tanh(l / c)
@inline(never) private func cap(_ l: Row, _ limit: Real, _ inverse: Real) {
  for j in 0..<l.count { l[j] = limit * tanh(l[j] * inverse) }
}

/// t = tanh(l / c), l = c t, s = 1 − t²
@inline(never) private func cap(_ l: Row, _ slopes: Row, _ limit: Real, _ inverse: Real) {
  for j in 0..<l.count {
    let t = tanh(l[j] * inverse)
    slopes[j] = 1 - t * t
    l[j] = limit * t
  }
}

@inline(never) private func multiply(_ x: Row, by y: Row) {
  for j in 0..<x.count { x[j] *= y[j] }
}
