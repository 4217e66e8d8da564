public import LinearAlgebra

/// A halting probability: a Bernoulli output beside the head of the outputs, which predicts before
/// each output whether the sequence has ended (Goodfellow, Bengio & Courville 2016, section
/// 10.2.3):
///
///     p(end at t) = σ(a),   a = h(t) · w + b,   loss = −ln p(end), or −ln(1 − p(end)) + the head's loss
///
/// h(t) has read the output of step t − 1. End-of-sequence is a factor of the likelihood by itself,
/// so the probabilities of all sequences, including the empty one, sum to 1. If outputs are
/// symbols, the end-of-sequence symbol has probability 0 in the head of the outputs.
public struct Halting: Head {
  let inner: any Head
  private let layer: OutputLayer
  /// The end-of-sequence symbol in `outputs`; nil if outputs are not symbols.
  private let end: Int?

  public var weight: Parameter { inner.weight }
  public var bias: Parameter? { inner.bias }
  public var outputWeights: [Parameter] { inner.outputWeights }
  /// The weight vector w.
  var haltWeight: Parameter { layer.weight }

  /// - Parameters:
  ///   - inner: The head that predicts the outputs. It gives `end` no probability.
  ///   - end: The end-of-sequence symbol; nil if outputs are not symbols.
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

  /// Returns the outputs of the inner head. For symbols: ln p of each symbol, and of ending in
  /// place of the end-of-sequence symbol.
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

  /// Returns the logit a of every stream at step t, in memory that the next call overwrites.
  func odds(at t: Int, _ pass: Pass) -> Matrix { layer.outputs(at: t, pass) }
}

/// Returns −ln σ(a) = ln(1 + exp(−a)), without overflow for any a.
private func surprise(_ a: Real) -> Double {
  let size = a < 0 ? -a : a
  return Double(a < 0 ? size : 0) + logarithm(1 + exp(-size))
}
