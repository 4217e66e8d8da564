internal import LinearAlgebra

/// Teacher forcing: a recurrence through the target of the step before,
///
///     a(t) += y(t−1) R
///
/// where y is the target: a row with a 1 at a symbol, numbers, or labels; zeros where a stream starts
/// and at steps without a target. In training y is the true target, so no gradient flows through it in
/// time (Williams & Zipser 1989). Sampling and prediction put the model's own output in its place, and
/// so does scheduled sampling at some steps of training.
struct TargetFeedback: StepModifier {
  /// a
  private let input: Activation
  /// y, stored as a state; for symbols the symbol plus one, and 0 for none.
  private let target: Activation
  /// R: a row for each symbol, or a matrix.
  private let weight: Parameter
  private let isSymbol: Bool

  /// - Parameters:
  ///   - names: The names of R and y.
  ///   - gates: The number of blocks of a.
  init(
    into preactivation: Activation, names: (weight: String, target: String), gates: Int = 1,
    spread: Distribution, in plan: inout Plan
  ) {
    guard let outputs = plan.scope.outputs else {
      preconditionFailure("targets are fed back where nothing is predicted")
    }
    input = preactivation
    let width = plan.width(preactivation)
    switch outputs {
    case .symbols(let count):
      isSymbol = true
      target = plan.targetState(1, named: names.target)
      weight = plan.parameter(
        names.weight, from: width, to: count, pytorch: spread, isRowSparse: true)
    case .numbers(let count), .labels(let count):
      isSymbol = false
      target = plan.targetState(count, named: names.target)
      weight = plan.parameter(names.weight, from: count, to: width, gates: gates, pytorch: spread)
    }
  }

  /// a(t) += y(t−1) R; notes the target of this step for the next one.
  func beforeStep(_ t: Int, _ pass: Pass) {
    let (past, now, a) = (pass.before(target, t), pass[target, t], pass[input, t])
    if isSymbol {
      let table = pass[weight].matrix
      let fed = pass.batch.feedsPredictions ? pass.batch.fed.start : pass.batch.targets.start
      for s in 0..<pass.streams {
        if past[s, 0] > 0 { a[s].add(table[Int(past[s, 0]) - 1]) }
        now[s, 0] = Real(max(fed[t * pass.streams + s] + 1, 0))
      }
    } else {
      a.addProduct(past, pass[weight])
      let values = pass.batch.feedsPredictions ? pass.batch.fedRows : pass.batch.valueRows
      for s in 0..<pass.streams {
        let row = t * pass.streams + s
        if pass.batch.hasTarget(row) { now[s].copy(values[row]) } else { now[s].fill(0) }
      }
    }
  }

  /// ∂R += Σ y(t−1)ᵀ ∂a(t)
  func accumulate(_ pass: Pass) {
    let (da, past) = (pass.d[input], pass.before(target, lag: 1))
    guard isSymbol else {
      pass.d[weight].addProduct(da.transposed, past)
      return
    }
    for row in 0..<da.rows where past[row, 0] > 0 {
      pass.d.add(da[row], to: weight, row: Int(past[row, 0]) - 1)
    }
  }
}
