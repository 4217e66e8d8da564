public import LinearAlgebra

/// A linear map to one logit a symbol, their softmax, and the cross-entropy of the target in nats:
///
///     l = h W + b,   loss = ln Σⱼ exp lⱼ − l(target),   ∂l = softmax(l) − 1(target)
///
/// In training, `forward` walks blocks of rows, takes the loss and adds to the derivatives at once, so
/// the logits of a long window never exist. Rows without a target cost nothing. The gradient is that of
/// the *sum* over targets; whoever updates divides.
public struct SoftmaxCrossEntropy: Sendable {
  /// The number of symbols.
  public let vocabulary: Int
  /// The output matrix; of a tied model, the embedding's.
  public let weight: Parameter
  let input: Activation
  let bias: Parameter?
  let objective: TrainingObjective
  let logits, gathered, scattered: Scratch

  /// - Parameters:
  ///   - tied: the embedding whose table is also the weight here; nil for a weight of its own.
  ///   - objective: what is differentiated in place of the plain cross-entropy.
  public init(
    vocabulary: Int, reading input: Activation, tied: Parameter?, bias hasBias: Bool,
    objective: TrainingObjective = TrainingObjective(), in plan: inout Plan
  ) {
    let width = plan.width(input)
    let spread = Distribution.uniform(1 / Double(width).squareRoot())
    self.vocabulary = vocabulary
    self.input = input
    self.objective = objective
    weight =
      tied ?? plan.parameter("decoder.weight", from: width, to: vocabulary, pytorch: spread)
    bias =
      hasBias ? plan.vector("decoder.bias", count: vocabulary, pytorch: spread) : nil
    // Each block reads the weights and reads and writes their gradient anew, so blocks are as large as
    // memory allows: 32 MB of logits, but rows enough for products to run at speed.
    let rows = ScratchRows.blocks(of: min(max(8_388_608 / vocabulary, 64), 1024))
    logits = plan.scratch(vocabulary, rows: rows)
    gathered = plan.scratch(width, rows: rows)
    scattered = plan.scratch(width, rows: rows)
  }

  /// Takes the loss of every target, and in training its derivatives.
  public func forward(_ pass: Pass) {
    pass.loss.clear()
    let h = pass[input]
    let block = evenBlock(of: h.rows, atMost: room(pass))
    var row = 0
    while row < h.rows {
      let rows = row..<min(row + block, h.rows)
      evaluate(rows, pass)
      row = rows.upperBound
    }
  }

  private func evaluate(_ rows: Range<Int>, _ pass: Pass) {
    let targets = pass.batch.targets.elements()
    let losses = pass.loss.rows.elements()
    var asked = 0
    for row in rows {
      losses[row] = 0
      if pass.batch.hasTarget(row) { asked += 1 }
    }
    guard asked > 0 else { return }
    let all = asked == rows.count
    let h: Matrix
    if all {
      h = pass[input].slice(rows: rows)
    } else {
      h = Matrix(pass.scratch(gathered), rows: asked, columns: pass[input].columns)
      gather(rows, from: pass[input], pass.batch, into: h)
    }
    let l = scores(of: h, pass)
    var k = 0
    for row in rows where pass.batch.hasTarget(row) {
      let target = Int(targets[row])
      precondition(target >= 0 && target < vocabulary, "target \(target) of \(vocabulary)")
      let loss = entropy(l[k], target, pass)
      losses[row] = Real(loss.nats)
      pass.loss.sum += loss.nats
      if pass.isTraining { differentiate(l[k], target, loss.largest, loss.total, pass) }
      k += 1
    }
    pass.loss.targets += asked
    guard pass.isTraining else { return }
    pass.d[weight].addProduct(l.transposed, h)
    if all {
      pass.d[input].slice(rows: rows).addProduct(l, pass[weight].transposed)
    } else {
      let dh = Matrix(pass.scratch(scattered), rows: asked, columns: h.columns)
      dh.setProduct(l, pass[weight].transposed)
      scatter(dh, rows, pass.batch, into: pass.d[input])
    }
  }

  /// The loss of one row, whose logits still lack the bias and become exp(l − max l), their sum, and
  /// max l.
  private func entropy(
    _ l: Row, _ target: Int, _ pass: Pass
  ) -> (nats: Double, total: Real, largest: Real) {
    let m = if let bias { l.maximum(adding: pass[bias].row) } else { l.maximum }
    let score = Double(l[target]) - Double(m)
    let total = l.exponentiate(minus: m)
    return (logarithm(total) - score, total, m)
  }

  /// exp(l − max l) becomes ∂l, and the bias's gradient takes it while it is in cache:
  /// ∂l = (1 + 2 z ln Σ exp l) softmax(l) − ε/V − (1 − ε) 1(target)
  private func differentiate(
    _ l: Row, _ target: Int, _ largest: Real, _ total: Real, _ pass: Pass
  ) {
    let normaliser = Double(largest) + logarithm(total)
    let factor = Real(1 + 2 * objective.zLoss * normaliser) / total
    let evenly = Real(objective.labelSmoothing / Double(vocabulary))
    let certainty = Real(1 - objective.labelSmoothing)
    if let bias {
      let db = pass.d[bias].row
      scale(l, factor, less: evenly, addingTo: db)
      db[target] -= certainty
    } else {
      scale(l, factor, less: evenly)
    }
    l[target] -= certainty
  }

  /// The rows of logits that there is memory for.
  private func room(_ pass: Pass) -> Int { pass.scratch(logits).count / vocabulary }

  /// h W for some rows, in memory that the next call overwrites.
  private func scores(of h: Matrix, _ pass: Pass) -> Matrix {
    let l = Matrix(pass.scratch(logits), rows: h.rows, columns: vocabulary)
    l.setProduct(h, pass[weight])
    return l
  }

  /// The logits of every stream at step t, in memory that the next call overwrites.
  public func logits(at t: Int, _ pass: Pass) -> Matrix {
    let h = pass[input, t]
    precondition(h.rows <= room(pass), "logits of \(h.rows) streams at once")
    let l = scores(of: h, pass)
    if let bias { l.addToEveryRow(pass[bias].row) }
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
private func gather(
  _ rows: Range<Int>, from source: Matrix, _ batch: Batch, into h: Matrix
) {
  var k = 0
  for row in rows where batch.hasTarget(row) {
    h.slice(rows: k..<k + 1).copy(source.slice(rows: row..<row + 1))
    k += 1
  }
}
private func scatter(
  _ dh: Matrix, _ rows: Range<Int>, _ batch: Batch, into destination: Matrix
) {
  var k = 0
  for row in rows where batch.hasTarget(row) {
    destination.slice(rows: row..<row + 1).add(dh.slice(rows: k..<k + 1))
    k += 1
  }
}
