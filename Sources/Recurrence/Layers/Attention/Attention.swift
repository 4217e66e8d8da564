internal import LinearAlgebra

/// The keys of attention, one per step of the source: `k = e W`.
struct AttentionKeys: Layer {
  /// The keys, on the axis of the source.
  let output: Activation
  /// e
  let source: Activation
  private let weight: Parameter

  /// - Parameters:
  ///   - width: The width of the queries.
  ///   - derivative: The memory of the keys' gradient.
  ///   - prefix: The prefix of the name of W.
  init(
    _ kind: AttentionKind, of source: Activation, width: Int,
    derivative: GradientStorage = .overwrites, prefix: String = "", in plan: inout Plan
  ) {
    self.source = source
    let read = plan.width(source)
    weight = plan.parameter(
      prefix + (kind == .additive ? "weight_source" : "weight"), from: read, to: width,
      pytorch: .uniform(1 / Double(read).squareRoot()))
    output = plan.activation(width, on: .source, derivative: derivative)
  }

  func forward(_ pass: Pass) { pass[output].setProduct(pass[source], pass[weight]) }

  func backward(_ pass: Pass) {
    let dk = pass.d[output]
    pass.d[weight].addProduct(dk.transposed, pass[source])
    pass.d[source].addProduct(dk, pass[weight].transposed)
  }
}

/// Attention over every step of the source (Bahdanau 2014, Luong 2015):
///
///     s(t, j) = q(t) · k(j)   or   v · tanh(q(t) W + k(j))
///     α(t, ·) = softmax of s(t, ·) over the true steps of the source
///     c(t) = Σⱼ α(t, j) e(j),   h̃(t) = tanh(c(t) C + q(t) H)
///
/// with k = e U. All steps of a stream are computed at once: its scores are one matrix, steps ×
/// steps of the source. Several consecutive streams can share a source, as the hypotheses of beam
/// search do.
struct Attention: Layer {
  /// h̃
  let output: Activation
  private let query, keys, source: Activation
  /// c; in the backward pass its gradient replaces it.
  private let context: Activation
  private let weightContext, weightOutput: Parameter
  private let comparison: Comparison
  /// α of all streams, stored for the backward pass, and the gradients of one stream.
  private let weights, derivatives: Scratch

  init(_ kind: AttentionKind, from query: Activation, to keys: AttentionKeys, in plan: inout Plan) {
    self.query = query
    self.keys = keys.output
    source = keys.source
    let (n, m) = (plan.width(query), plan.width(keys.source))
    comparison =
      kind == .additive ? .additive(AdditiveScores(of: query, in: &plan)) : .multiplicative
    let spread = Distribution.uniform(1 / Double(n + m).squareRoot())
    weightContext = plan.parameter("weight_context", from: m, to: n, pytorch: spread)
    weightOutput = plan.parameter("weight_output", from: n, to: n, pytorch: spread)
    context = plan.activation(m, derivative: .overwrites)
    output = plan.activation(n)
    weights = plan.scratch(1, rows: .pairsOfStreams)
    derivatives = plan.scratch(1, rows: .pairs)
  }

  private enum Comparison: Sendable {
    case multiplicative
    case additive(AdditiveScores)
  }

  func forward(_ pass: Pass) {
    if case .additive(let scores) = comparison { scores.begin(pass) }
    for s in 0..<pass.streams {
      let stream = Stream(s, pass)
      let alpha = weights(of: s, pass)
      switch comparison {
      case .multiplicative:
        alpha.setProduct(
          stream.steps(pass[query]), stream.sourceSteps(pass[keys]).transposed,
          independentRows: pass.rowsAreIndependent)
      case .additive(let scores):
        scores.forward(alpha, stream.sourceSteps(pass[keys]), stream, pass)
      }
      for t in 0..<alpha.rows { normalise(alpha[t], upTo: stream.length) }
      stream.steps(pass[context]).setProduct(
        alpha, stream.sourceSteps(pass[source]), independentRows: pass.rowsAreIndependent)
    }
    let y = pass[output]
    y.setProduct(pass[context], pass[weightContext])
    y.addProduct(pass[query], pass[weightOutput])
    bound(y)
  }

  func backward(_ pass: Pass) {
    let dy = pass.d[output]
    // All readers of the output are done: its gradient becomes that of the argument of tanh.
    unbound(pass[output], dy)
    pass.d[weightContext].addProduct(dy.transposed, pass[context])
    pass.d[weightOutput].addProduct(dy.transposed, pass[query])
    pass.d[query].addProduct(dy, pass[weightOutput].transposed)
    pass.d[context].setProduct(dy, pass[weightContext].transposed)
    for s in 0..<pass.streams { differentiate(s, pass) }
    if case .additive(let scores) = comparison { scores.finish(pass) }
  }

  /// ∂α = ∂c eᵀ,  ∂e += αᵀ ∂c,  ∂s = α ∘ (∂α − Σ α ∘ ∂α)
  private func differentiate(_ s: Int, _ pass: Pass) {
    let stream = Stream(s, pass)
    let (alpha, dc) = (weights(of: s, pass), stream.steps(pass.d[context]))
    let ds = Matrix(pass.scratch(derivatives), rows: alpha.rows, columns: alpha.columns)
    ds.setProduct(dc, stream.sourceSteps(pass[source]).transposed)
    stream.sourceSteps(pass.d[source]).addProduct(alpha.transposed, dc)
    for t in 0..<ds.rows { unnormalise(alpha[t], ds[t], alpha[t].dot(ds[t])) }
    let keys = stream.sourceSteps(pass[keys])
    switch comparison {
    case .multiplicative:
      stream.steps(pass.d[query]).addProduct(ds, keys)
      keys.setProduct(ds.transposed, stream.steps(pass[query]))
    case .additive(let scores): scores.backward(ds, keys, stream, pass)
    }
  }

  /// Returns α of one stream, steps × steps of the source.
  private func weights(of s: Int, _ pass: Pass) -> Matrix {
    let columns = pass.along(.source).steps
    return Matrix(
      pass.scratch(weights), offset: s * pass.steps * columns, rows: pass.steps, columns: columns)
  }
}

/// The rows of one stream and of its source.
struct Stream {
  private let index, count: Int
  private let sourceIndex, sourceCount: Int
  /// The true length of the source.
  let length: Int

  init(_ s: Int, _ pass: Pass) {
    let source = pass.batch.on(.source)
    (index, count) = (s, pass.streams)
    sourceCount = source.streams
    sourceIndex = s / (count / sourceCount)
    length = Int(source.lengths.elements(count: sourceCount)[sourceIndex])
  }

  func steps(_ x: Matrix) -> Matrix { x.every(count, from: index) }
  func sourceSteps(_ x: Matrix) -> Matrix { x.every(sourceCount, from: sourceIndex) }
}

/// Replaces s with the softmax over its first elements, and 0 after them.
func normalise(_ s: Row, upTo count: Int) {
  let seen = s[0..<count]
  let total = seen.exponentiate(minus: seen.maximum)
  seen.scale(by: 1 / total)
  s[count..<s.count].elements.update(repeating: 0)
}
/// ∂α becomes ∂s = α ∘ (∂α − m)
@inline(never) func unnormalise(_ alpha: Row, _ d: Row, _ m: Real) {
  for j in 0..<d.count { d[j] = alpha[j] * (d[j] - m) }
}
