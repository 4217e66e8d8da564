public import LinearAlgebra

/// A linear map to one logit a symbol, their softmax, and the cross-entropy of the target in nats:
///
///     l = h W + b,   loss = ln Σⱼ exp lⱼ − l(target),   ∂l = softmax(l) − 1(target)
///
/// In training, `forward` walks blocks of rows that stay in cache, takes the loss and adds to the
/// derivatives at once, so the logits of a whole window never exist. Rows without a target cost
/// nothing. The gradient is that of the *sum* over targets; whoever updates divides.
public struct SoftmaxCrossEntropy: Sendable {
  /// The number of symbols.
  public let vocabulary: Int
  /// The output matrix; of a tied model, the embedding's.
  public let weight: Parameter
  let input: Activation
  let bias: Parameter?
  let block: Int
  let logits, gathered, scattered: Scratch

  /// - Parameter tied: the embedding whose table is also the weight here; nil for a weight of its own.
  public init(
    vocabulary: Int, reading input: Activation, tied: Parameter?, bias hasBias: Bool,
    in plan: inout Plan
  ) {
    let width = plan.width(input)
    let spread = Distribution.uniform(1 / Double(width).squareRoot())
    self.vocabulary = vocabulary
    self.input = input
    weight =
      tied ?? plan.parameter("decoder.weight", from: width, to: vocabulary, pytorch: spread)
    bias =
      hasBias ? plan.vector("decoder.bias", count: vocabulary, pytorch: spread) : nil
    // About a megabyte of logits, but enough rows for the products to run at speed.
    block = min(max(262_144 / vocabulary, 64), 1024)
    logits = plan.scratch(block * vocabulary)
    gathered = plan.scratch(block * width)
    scattered = plan.scratch(block * width)
  }

  /// Takes the loss of every target, and in training its derivatives.
  public func forward(_ pass: Pass) {
    pass.loss.clear()
    let h = pass[input]
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
      let m = l[k].maximum
      let score = Double(l[k][target]) - Double(m)
      exponentiate(l[k], m)
      let total = l[k].sum
      let loss = logarithm(total) - score
      losses[row] = Real(loss)
      pass.loss.sum += loss
      if pass.isTraining {
        scale(l[k], 1 / total)
        l[k][target] -= 1
      }
      k += 1
    }
    pass.loss.targets += asked
    guard pass.isTraining else { return }
    pass.d[weight].addProduct(l.transposed, h)
    if let bias { pass.d[bias].addColumnSums(l) }
    if all {
      pass.d[input].slice(rows: rows).addProduct(l, pass[weight].transposed)
    } else {
      let dh = Matrix(pass.scratch(scattered), rows: asked, columns: h.columns)
      dh.setProduct(l, pass[weight].transposed)
      scatter(dh, rows, pass.batch, into: pass.d[input])
    }
  }

  /// The logits of some rows, in memory that the next call overwrites.
  private func scores(of h: Matrix, _ pass: Pass) -> Matrix {
    let l = Matrix(pass.scratch(logits), rows: h.rows, columns: vocabulary)
    if let bias {
      l.fillEveryRow(pass[bias].row)
      l.addProduct(h, pass[weight])
    } else {
      l.setProduct(h, pass[weight])
    }
    return l
  }

  /// The logits of every stream at step t, in memory that the next call overwrites.
  public func logits(at t: Int, _ pass: Pass) -> Matrix {
    let h = pass[input, t]
    precondition(h.rows <= block, "logits of \(h.rows) streams at once")
    return scores(of: h, pass)
  }
}

/// l = exp(l − m)
@inline(never) private func exponentiate(_ l: Row, _ m: Real) {
  for j in 0..<l.count { l[j] = exp(l[j] - m) }
}
@inline(never) private func scale(_ l: Row, _ factor: Real) {
  for j in 0..<l.count { l[j] *= factor }
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
