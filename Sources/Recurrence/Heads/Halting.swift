public import LinearAlgebra

/// A Bernoulli output that decides before each output whether the sequence has ended, beside the head of
/// the outputs (Goodfellow, Bengio & Courville 2016, section 10.2.3):
///
///     p(end at t) = σ(a),   a = h(t) · w + b,   loss = −ln p(end), or −ln(1 − p(end)) + the head's loss
///
/// h(t) has read the output of t − 1. The end is a factor of the likelihood by itself, so the
/// probabilities of all sequences sum to 1, the empty one's included; of symbols, the one that stands for
/// the end elsewhere has no probability among the others.
public struct Halting: Head {
  let inner: any Head
  private let layer: OutputLayer
  /// Of symbols, the one that says the end in `outputs`.
  private let end: Int?

  public var weight: Parameter { inner.weight }
  public var bias: Parameter? { inner.bias }
  /// w
  var haltWeight: Parameter { layer.weight }

  /// - Parameters:
  ///   - inner: predicts the outputs, of which `end` is none.
  ///   - end: where outputs are symbols, the one that stands for the end.
  init(beside inner: any Head, end: Int?, reading input: Activation, in plan: inout Plan) {
    self.inner = inner
    self.end = end
    layer = OutputLayer(1, reading: input, name: "halt", isAuxiliary: true, in: &plan)
  }

  public func forward(_ pass: Pass) {
    inner.forward(pass)
    layer.forwardBiased(pass) { a, row in
      let isEnd = pass.batch.asksForEnd(row)
      let loss = surprise(isEnd ? a[0] : -a[0])
      if isEnd {
        pass.loss.targets += 1
        if end != nil, a[0] > 0 { pass.loss.correct += 1 }
      }
      if pass.isTraining { a[0] = sigmoid(a[0]) - (isEnd ? 1 : 0) }
      return loss
    }
  }

  /// What the head predicts; of symbols, ln p of each and of the end in place of its symbol.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix {
    let l = inner.outputs(at: t, pass)
    guard let end else { return l }
    let a = odds(at: t, pass)
    for s in 0..<l.rows {
      let row = l[s]
      row.add(-row.logSumExp - Real(surprise(-a[s, 0])))
      row[end] = -Real(surprise(a[s, 0]))
    }
    return l
  }

  /// a of every stream at step t, in memory that the next call overwrites.
  func odds(at t: Int, _ pass: Pass) -> Matrix { layer.outputs(at: t, pass) }
}

/// −ln σ(a) = ln(1 + exp(−a)), which no a makes overflow
private func surprise(_ a: Real) -> Double {
  let size = a < 0 ? -a : a
  return Double(a < 0 ? size : 0) + logarithm(1 + exp(-size))
}
