internal import LinearAlgebra

/// Attention inside a recurrent layer, from the state of the step before (Bahdanau 2014): `c(t) R` is
/// added to x(t) W + b, with
///
///     c(t) = Σⱼ α(t, j) e(j),   α(t, ·) = softmax of the scores of h(t−1)
///
/// Each step computes its own scores. Gradients that do not flow from step to step are computed at
/// the end, for all steps of a stream at once.
struct StepAttention: StepModifier {
  private let state, preactivation, keys, source: Activation
  /// c
  private let context: Activation
  /// R
  private let weight: Parameter
  private let additive: AdditiveScores?
  /// α and the gradient of the scores, of all streams.
  private let weights, derivatives: Scratch

  /// - Parameter request: The keys, as wide as the state, with a gradient of their own.
  init(_ request: StepAttentionRequest, around cell: ModifiedCell, in plan: inout Plan) {
    precondition(plan.isState(cell.output), "attention from an output that is no state")
    let (kind, keys) = (request.kind, request.keys)
    state = cell.output
    preactivation = cell.preactivation
    self.keys = keys.output
    source = keys.source
    let width = plan.width(keys.source)
    weight = plan.parameter(
      "weight_ih_attention", from: width, to: plan.width(preactivation), gates: cell.gates,
      pytorch: .uniform(1 / Double(width).squareRoot()))
    additive =
      kind == .additive
      ? AdditiveScores(of: state, names: ("attention_query", "attention_v"), in: &plan) : nil
    context = plan.activation(width)
    weights = plan.scratch(1, rows: .pairsOfStreams)
    derivatives = plan.scratch(1, rows: .pairsOfStreams)
  }

  /// a(t) += c(t) R
  func beforeStep(_ t: Int, _ pass: Pass) {
    let (q, c) = (pass.before(state, t), pass[context, t])
    additive?.begin(t, from: q, pass)
    for s in 0..<pass.streams {
      let stream = Stream(s, pass)
      let alpha = matrix(weights, s, pass).slice(rows: t..<t + 1)
      let k = stream.sourceSteps(pass[keys])
      if let additive {
        additive.score(alpha[0], additive.query(t, s, pass), k, stream, pass)
      } else {
        alpha.setProduct(
          q.slice(rows: s..<s + 1), k.transposed, independentRows: pass.rowsAreIndependent)
      }
      normalise(alpha[0], upTo: stream.length)
      c.slice(rows: s..<s + 1).setProduct(
        alpha, stream.sourceSteps(pass[source]), independentRows: pass.rowsAreIndependent)
    }
    pass[preactivation, t].addProduct(c, pass[weight])
  }

  /// ∂c(t) = ∂a(t) Rᵀ, and through the scores to h(t−1)
  func afterBackward(_ t: Int, _ pass: Pass) {
    let (dq, dc) = (pass.d.before(state, t), pass.d[context, t])
    dc.setProduct(pass.d[preactivation, t], pass[weight].transposed)
    for s in 0..<pass.streams {
      let stream = Stream(s, pass)
      let alpha = matrix(weights, s, pass)[t]
      let ds = matrix(derivatives, s, pass).slice(rows: t..<t + 1)
      ds.setProduct(dc.slice(rows: s..<s + 1), stream.sourceSteps(pass[source]).transposed)
      unnormalise(alpha, ds[0], alpha.dot(ds[0]))
      let k = stream.sourceSteps(pass[keys])
      if let additive {
        additive.differentiate(
          ds[0], additive.query(t, s, pass), k, stream.sourceSteps(pass.d[keys]), stream, pass)
      } else {
        dq.slice(rows: s..<s + 1).addProduct(ds, k)
      }
    }
    additive?.finish(t, into: dq, pass)
  }

  /// ∂R += cᵀ ∂a,  ∂e += αᵀ ∂c,  ∂k += ∂sᵀ h₋
  func accumulate(_ pass: Pass) {
    pass.d[weight].addProduct(pass.d[preactivation].transposed, pass[context])
    let past = pass.before(state, lag: 1)
    for s in 0..<pass.streams {
      let stream = Stream(s, pass)
      stream.sourceSteps(pass.d[source]).addProduct(
        matrix(weights, s, pass).transposed, stream.steps(pass.d[context]))
      if additive == nil {
        stream.sourceSteps(pass.d[keys]).addProduct(
          matrix(derivatives, s, pass).transposed, stream.steps(past))
      }
    }
    additive?.accumulate(from: past, pass)
  }

  /// Returns the part of a memory for the steps of one stream and those of its source.
  private func matrix(_ scratch: Scratch, _ s: Int, _ pass: Pass) -> Matrix {
    let columns = pass.batch.on(.source).steps
    return Matrix(
      pass.scratch(scratch), offset: s * pass.steps * columns, rows: pass.steps, columns: columns)
  }
}
