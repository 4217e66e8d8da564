internal import LinearAlgebra

/// Keeps the old value of a unit with probability p at every step of training, and mixes old and new
/// values in these parts otherwise (Krueger 2017):
///
///     s(t) = m ∘ s̃(t) + (1 − m) ∘ s(t−1),   m = 0 with probability p, else 1; 1 − p in evaluation
///
/// Without sampling, m is 1 − p in training too.
///
/// s̃ is the state that the cell computes, s the one that is carried and read by others. Masks are made
/// like those of `Dropout`.
struct Zoneout: StepModifier {
  /// s
  let held: Activation
  private let state: Activation
  private let mask: Activation
  private let rate: Double
  private let isSampled: Bool
  private let random: Philox

  init(
    _ rate: Double, isSampled: Bool, of state: Activation, seed: UInt64, in plan: inout Plan
  ) {
    precondition(rate > 0 && rate < 1, "zoneout of \(rate)")
    self.rate = rate
    self.isSampled = isSampled
    self.state = state
    random = Philox(seed: seed, name: "\(plan.scope.layer) \(plan.name(of: state)) zoneout")
    held = plan.held(of: state)
    mask = plan.stepTemporary(plan.width(state))
  }

  /// s(t) = m ∘ s̃(t) + (1 − m) ∘ s(t−1)
  func afterStep(_ t: Int, _ pass: Pass) {
    let (new, old, s) = (pass[state, t], pass.before(state, t), pass[held, t])
    let m = drawMask(t, pass)
    for stream in 0..<pass.streams { mix(m[stream], new[stream], old[stream], s[stream]) }
  }

  /// ∂s̃(t) = m ∘ ∂s(t)
  func beforeBackward(_ t: Int, _ pass: Pass) {
    let (ds, dNew) = (pass.d[held, t], pass.d[state, t])
    let m = drawMask(t, pass)
    for stream in 0..<pass.streams { take(m[stream], ds[stream], dNew[stream]) }
  }

  /// ∂s(t−1) += (1 − m) ∘ ∂s(t), after the cell has set or added to ∂s(t−1)
  func afterBackward(_ t: Int, _ pass: Pass) {
    let (ds, dOld, m) = (pass.d[held, t], pass.d.before(state, t), pass[mask, t])
    for stream in 0..<pass.streams { leave(m[stream], ds[stream], dOld[stream]) }
  }

  private func drawMask(_ t: Int, _ pass: Pass) -> Matrix {
    let (m, batch) = (pass[mask, t], pass.batch)
    guard pass.isTraining && isSampled else {
      m.fill(Real(1 - rate))
      return m
    }
    for s in 0..<pass.streams {
      random.fillMask(
        m[s], rate: rate, stream: Int(batch.keys.elements()[s]), position: batch.position + t,
        epoch: batch.epoch)
    }
    return m
  }
}

/// s = m ∘ s̃ + (1 − m) ∘ s₋
@inline(never) private func mix(_ m: Row, _ new: Row, _ old: Row, _ s: Row) {
  for j in 0..<s.count { s[j] = m[j] * new[j] + (1 - m[j]) * old[j] }
}
/// ∂s̃ = m ∘ ∂s
@inline(never) private func take(_ m: Row, _ ds: Row, _ dNew: Row) {
  for j in 0..<ds.count { dNew[j] = m[j] * ds[j] }
}
/// ∂s₋ += (1 − m) ∘ ∂s
@inline(never) private func leave(_ m: Row, _ ds: Row, _ dOld: Row) {
  for j in 0..<ds.count { dOld[j] += (1 - m[j]) * ds[j] }
}
