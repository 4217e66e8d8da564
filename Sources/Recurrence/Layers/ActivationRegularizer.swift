internal import LinearAlgebra
internal import Sequences

/// Activation regularisation (AR) and temporal activation regularisation (TAR) of the outputs h of a
/// layer (Merity, Keskar & Socher 2017). In training they add to the mean loss of the targets
///
///     α mean((m ∘ h(t))²) + β mean((h(t) − h(t−1))²)
///
/// m ∘ h is h after dropout. The means are over units and over the steps of a window that have a
/// target, for β over pairs of such steps in one sequence or document. As every sum over targets, the
/// gradient is not yet divided by their number N; so a row with a target adds
///
///     2α/n m ∘ h        and a pair of steps of stream s       ± 2β/n (Nₛ/Pₛ) (h(t) − h(t−1))
///
/// with n units, and Nₛ targets and Pₛ pairs of the stream in the whole window. For windows of a text
/// of T steps Nₛ/Pₛ = T/(T − 1). No number depends on the ranks. The reported loss has no such term.
struct ActivationRegularizer: Layer {
  /// m ∘ h, which the layer leaves as it is.
  let output: Activation
  private let activation: Activation
  private let alpha, beta: Double
  /// True if the step before a part of a window is on the tape.
  private let isState: Bool

  init(
    _ objective: TrainingObjective, of activation: Activation, dropped: Activation, in plan: Plan
  ) {
    output = dropped
    self.activation = activation
    alpha = objective.activationRegularization
    beta = objective.temporalRegularization
    isState = plan.lag(of: activation) > 0
  }

  func forward(_ pass: Pass) {}

  func backward(_ pass: Pass) {
    if alpha > 0 { addActivations(pass) }
    if beta > 0 { addDifferences(pass) }
  }

  private func addActivations(_ pass: Pass) {
    let (x, dx) = (pass[output], pass.d[output])
    let factor = Real(2 * alpha / Double(x.columns))
    for row in 0..<x.rows where pass.batch.targets.start[row] != Batch.noTarget {
      add(factor, x[row], to: dx[row])
    }
  }

  private func addDifferences(_ pass: Pass) {
    let batch = pass.batch
    let whole = batch.whole ?? batch
    precondition(
      isState || batch.firstStep == 0, "differences of steps that are computed in segments")
    for s in 0..<pass.streams {
      let count = whole.targetsAndPairs(of: s)
      guard count.pairs > 0 else { continue }
      let width = Double(pass[activation, 0].columns)
      let factor = Real(2 * beta / width * Double(count.targets) / Double(count.pairs))
      // The step before the first of a part is the last of the part before, as it is carried.
      for t in (batch.firstStep > 0 ? 0 : 1)..<max(pass.steps, 1)
      where whole.isPair(batch.firstStep + t, s) {
        addDifference(
          factor, pass[activation, t - 1][s], pass[activation, t][s],
          pass.d[activation, t - 1][s], pass.d[activation, t][s])
      }
    }
  }
}

extension Batch {
  /// Returns true if two steps of stream s, t − 1 and t, have a target and belong together.
  fileprivate func isPair(_ t: Int, _ s: Int) -> Bool {
    let row = t * streams + s
    return targets.start[row] != Self.noTarget && targets.start[row - streams] != Self.noTarget
      && !(hasResets && resets.start[row] != 0)
  }

  /// Returns the number of targets of stream s, and that of its pairs of steps.
  fileprivate func targetsAndPairs(of s: Int) -> (targets: Int, pairs: Int) {
    var count = (targets: 0, pairs: 0)
    for t in 0..<steps {
      if targets.start[t * streams + s] != Self.noTarget { count.targets += 1 }
      if t > 0, isPair(t, s) { count.pairs += 1 }
    }
    return count
  }
}

/// ∂x += f x
@inline(never) private func add(_ factor: Real, _ x: Row, to dx: Row) {
  for j in 0..<x.count { dx[j] += factor * x[j] }
}

/// ∂y += f (y − x), ∂x −= f (y − x)
@inline(never) private func addDifference(
  _ factor: Real, _ x: Row, _ y: Row, _ dx: Row, _ dy: Row
) {
  for j in 0..<x.count {
    let difference = factor * (y[j] - x[j])
    dy[j] += difference
    dx[j] -= difference
  }
}
