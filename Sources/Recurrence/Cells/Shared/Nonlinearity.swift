internal import LinearAlgebra

/// The elementwise functions f that a cell or a layer can apply.
public enum Nonlinearity: String, Codable, CaseIterable, Sendable {
  case tanh, relu, sigmoid, identity

  /// h = f(a), one row per stream.
  func respond(_ a: Matrix, _ h: Matrix) {
    for stream in 0..<h.rows { respond(a[stream], h[stream]) }
  }

  /// h = f(a)
  func respond(_ a: Row, _ h: Row) {
    switch self {
    case .tanh: respondTanh(a, h)
    case .relu: respondRelu(a, h)
    case .sigmoid: respondSigmoid(a, h)
    case .identity: respondIdentity(a, h)
    }
  }

  /// ∂a = ∂h ∘ f′(a), with f′(a) computed from h.
  func differentiate(_ h: Matrix, _ dh: Matrix, _ da: Matrix) {
    for stream in 0..<h.rows { differentiate(h[stream], dh[stream], da[stream]) }
  }

  /// ∂a = ∂h ∘ f′(a), with f′(a) computed from h.
  func differentiate(_ h: Row, _ dh: Row, _ da: Row) {
    switch self {
    case .tanh: differentiateTanh(h, dh, da)
    case .relu: differentiateRelu(h, dh, da)
    case .sigmoid: differentiateSigmoid(h, dh, da)
    case .identity: respondIdentity(dh, da)
    }
  }
}

@inline(never) private func respondTanh(_ a: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = LinearAlgebra.tanh(a[j]) }
}
@inline(never) private func respondRelu(_ a: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = a[j] < 0 ? 0 : a[j] }
}
@inline(never) private func respondSigmoid(_ a: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = LinearAlgebra.sigmoid(a[j]) }
}
@inline(never) private func respondIdentity(_ a: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = a[j] }
}
@inline(never) private func differentiateTanh(_ h: Row, _ dh: Row, _ da: Row) {
  for j in 0..<h.count { da[j] = dh[j] * (1 - h[j] * h[j]) }
}
@inline(never) private func differentiateRelu(_ h: Row, _ dh: Row, _ da: Row) {
  for j in 0..<h.count { da[j] = h[j] > 0 ? dh[j] : 0 }
}
@inline(never) private func differentiateSigmoid(_ h: Row, _ dh: Row, _ da: Row) {
  for j in 0..<h.count { da[j] = dh[j] * (h[j] * (1 - h[j])) }
}
