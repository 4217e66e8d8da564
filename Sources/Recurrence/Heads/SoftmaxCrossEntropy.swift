public import LinearAlgebra

/// A linear map to one logit per symbol, a softmax, and the cross-entropy with the target in nats:
///
///     l = h W + b,   loss = ln Σⱼ exp lⱼ − l(target),   ∂l = softmax(l) − 1(target)
///
/// In training `forward` takes the gradient as well, block by block, since logits of a whole window would
/// not fit into memory. Blocks are large because each reads the weights and adds to their gradient; the
/// passes over a row (its maximum; powers with their sum; scaling with the bias's gradient) follow each
/// other while the row is in the cache. Evaluation makes the first two only.
///
/// With a soft cap c, l is replaced with c tanh(l / c). One symbol can be excluded: its logit is −∞, whatever its row of W is.
public struct SoftmaxCrossEntropy: Head {
  /// The number of symbols.
  public let vocabulary: Int
  /// The symbol with probability 0; nil for none.
  let excluded: Int?
  let layer: OutputLayer
  let objective: TrainingObjective
  private let cap: LogitCap?

  public var weight: Parameter { layer.weight }
  public var bias: Parameter? { layer.bias }

  /// - Parameters:
  ///   - vocabulary: The number of symbols, each with a logit.
  ///   - input: The activation from which the logits are computed.
  ///   - tied: The embedding table that is also the weight here; nil for a weight of its own.
  ///   - hasBias: True if the logits have a trainable bias.
  ///   - excluded: The symbol with probability 0, such as an end-of-sequence symbol that another
  ///     head predicts.
  ///   - objective: The terms that training adds to the cross-entropy.
  ///   - softCap: The soft cap on logits; nil for none.
  ///   - isRowSparse: True if another head computes the gradient of the weight, of which a window
  ///     touches few rows.
  ///   - plan: The plan that the parameters and activations are added to.
  public init(
    vocabulary: Int, reading input: Activation, tied: Parameter?, bias hasBias: Bool,
    excluding excluded: Int? = nil,
    objective: TrainingObjective = TrainingObjective(), softCap: Double? = nil,
    isRowSparse: Bool = false, in plan: inout Plan
  ) {
    self.vocabulary = vocabulary
    self.excluded = excluded
    self.objective = objective
    layer = OutputLayer(
      vocabulary, reading: input, tied: tied, bias: hasBias, isRowSparse: isRowSparse, in: &plan)
    cap = LogitCap(softCap, width: vocabulary, in: &plan)
  }

  public func forward(_ pass: Pass) {
    let targets = pass.batch.targets.elements()
    layer.forward(pass) { l, row in
      let target = Int(targets[row])
      precondition(target >= 0 && target < vocabulary, "target \(target) of \(vocabulary)")
      if let excluded {
        precondition(
          target != excluded || !pass.isTraining,
          "learning what has the probability 0: Dataset.ending(by:) makes an end of it")
        if cap == nil { l[excluded] = -.infinity }
      }
      let loss = entropy(l, target, pass)
      if loss.isCorrect { pass.loss.countCorrect(row) }
      if pass.batch.isRoot(row) {
        pass.loss.roots += 1
        if loss.isCorrect { pass.loss.correctRoots += 1 }
      }
      if pass.isTraining { differentiate(l, target, loss.largest, loss.total, pass) }
      return loss.nats
    }
  }

  /// Computes the loss of one row, whose logits still lack the bias. Replaces them with exp(l − max
  /// l) and also returns their sum and max l.
  private func entropy(
    _ l: Row, _ target: Int, _ pass: Pass
  ) -> (nats: Double, total: Real, largest: Real, isCorrect: Bool) {
    let m = largest(l, pass)
    let score = Double(l[target]) - Double(m)
    let isCorrect = l.isFirst(target, of: m)
    let total = l.exponentiate(minus: m)
    return (logarithm(total) - score, total, m, isCorrect)
  }

  /// Adds the bias to the logits of one row, caps them, and returns the largest.
  private func largest(_ l: Row, _ pass: Pass) -> Real {
    guard let cap else {
      if let bias = layer.bias { return l.maximum(adding: pass[bias].row) }
      return l.maximum
    }
    if let bias = layer.bias { l.add(pass[bias].row) }
    cap.apply(to: l, pass)
    if let excluded { l[excluded] = -.infinity }
    return l.maximum
  }

  /// Replaces exp(l − max l) with ∂l and adds it to the gradient of the bias while it is in cache:
  /// ∂l = (1 + 2 z ln Σ exp l) softmax(l) − ε/V − (1 − ε) 1(target)
  private func differentiate(
    _ l: Row, _ target: Int, _ largest: Real, _ total: Real, _ pass: Pass
  ) {
    let normaliser = Double(largest) + logarithm(total)
    let factor = Real(1 + 2 * objective.zLoss * normaliser) / total
    let possible = excluded == nil ? vocabulary : vocabulary - 1
    let evenly = Real(objective.labelSmoothing / Double(possible))
    let certainty = Real(1 - objective.labelSmoothing)
    if let cap {
      scale(l, factor, less: evenly)
      l[target] -= certainty
      if let excluded { l[excluded] = 0 }
      cap.differentiate(l, pass)
      if let bias = layer.bias { pass.d[bias].row.add(l) }
      return
    }
    if let bias = layer.bias {
      let db = pass.d[bias].row
      scale(l, factor, less: evenly, addingTo: db)
      db[target] -= certainty
      if let excluded { db[excluded] = 0 }
    } else {
      scale(l, factor, less: evenly)
    }
    l[target] -= certainty
    if let excluded { l[excluded] = 0 }
  }

  /// Returns the logits of every stream at step t.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix {
    let l = layer.outputs(at: t, pass)
    if let cap {
      for s in 0..<l.rows { cap.apply(to: l[s], pass) }
    }
    if let excluded {
      for s in 0..<l.rows { l[s, excluded] = -.infinity }
    }
    return l
  }
}

/// l = f l − s
@inline(never) private func scale(_ l: Row, _ factor: Real, less shift: Real) {
  for j in 0..<l.count { l[j] = l[j] * factor - shift }
}
/// l = f l − s, ∂b += l
@inline(never) private func scale(
  _ l: Row, _ factor: Real, less shift: Real, addingTo db: Row
) {
  for j in 0..<l.count {
    let dl = l[j] * factor - shift
    l[j] = dl
    db[j] += dl
  }
}
