internal import LinearAlgebra

/// The elementwise linear recurrence of a window, h(t) = a(t) ∘ h(t−1) + b(t), for all streams and units.
///
/// The loop over time is sequential; each step is one loop over streams × units. The gradient of the loss
/// with respect to h(t), called λ(t), obeys the same recurrence from the other end:
///
///     λ(t) = ∂h(t) + a(t+1) ∘ λ(t+1),   ∂b(t) = λ(t),   ∂a(t) = λ(t) ∘ h(t−1)
///
/// Every row of a step must be contiguous with the next.
enum LinearScan {
  /// Computes one step in place: h holds b and becomes a ∘ h₋ + b.
  static func forward(_ a: Matrix, _ past: Matrix, _ h: Matrix) {
    scan(a.flattened, past.flattened, h.flattened)
  }

  /// ∂h₋ += a ∘ λ
  static func backward(_ a: Matrix, _ lambda: Matrix, _ dPast: Matrix) {
    scanBack(a.flattened, lambda.flattened, dPast.flattened)
  }
}

@inline(never) private func scan(_ a: Row, _ past: Row, _ h: Row) {
  for j in 0..<h.count { h[j] += a[j] * past[j] }
}
@inline(never) private func scanBack(_ a: Row, _ lambda: Row, _ dPast: Row) {
  for j in 0..<lambda.count { dPast[j] += a[j] * lambda[j] }
}
