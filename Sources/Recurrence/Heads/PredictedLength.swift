public import LinearAlgebra

/// A length prediction: the number of outputs τ of a sequence, predicted before the first of them,
/// beside the head of the outputs (Goodfellow, Bengio & Courville 2016, section 10.2.3):
///
///     p(τ) = softmax(v W + b) over 0 … the longest,   loss = −ln p(τ) once a sequence + the head's losses
///
/// v is the summary of the source and the condition, side by side. Without both, b alone models the
/// distribution of lengths. −ln p(τ) is added to the loss of the step whose target is
/// end-of-sequence, and counts as one target, as an end-of-sequence symbol would.
public struct PredictedLength: Head {
  let inner: any Head
  /// The greatest τ, the last class of the softmax.
  let longest: Int
  /// The vector v of each stream; nil without a source and a condition.
  private let known: Activation?
  /// W and b; W is nil without v.
  let lengthWeight: Parameter?
  private let lengthBias: Parameter
  /// The end-of-sequence symbol in `outputs`; nil if outputs are not symbols.
  private let end: Int?
  private let odds: Scratch

  public var weight: Parameter { inner.weight }
  public var bias: Parameter? { inner.bias }
  public var outputWeights: [Parameter] { inner.outputWeights }

  /// - Parameters:
  ///   - inner: The head that predicts the outputs. It gives `end` no probability.
  ///   - end: The end-of-sequence symbol; nil if outputs are not symbols.
  init(
    upTo longest: Int, beside inner: any Head, end: Int?, knowing known: Activation?,
    in plan: inout Plan
  ) {
    self.inner = inner
    self.longest = longest
    self.known = known
    self.end = end
    let read = known.map { plan.width($0) }
    let spread = Distribution.uniform(1 / Double(read ?? longest + 1).squareRoot())
    lengthWeight = read.map {
      plan.parameter("length.weight", from: $0, to: longest + 1, pytorch: spread)
    }
    lengthBias = plan.vector("length.bias", count: longest + 1, pytorch: spread)
    odds = plan.scratch(longest + 1, rows: .streams)
  }

  public func forward(_ pass: Pass) {
    inner.forward(pass)
    let totals = pass.batch.totals.elements(count: pass.streams)
    guard (0..<pass.streams).contains(where: { row(ofEnd: $0, pass) != nil }) else { return }
    let l = logits(pass)
    let losses = pass.loss.rows.elements()
    for s in 0..<pass.streams {
      guard let row = row(ofEnd: s, pass) else {
        l[s].fill(0)
        continue
      }
      let total = Int(totals[s])
      precondition(total <= longest, "a sequence of \(total) outputs, of at most \(longest)")
      let m = l[s].maximum
      if end != nil, l[s].isFirst(total, of: m) { pass.loss.correct += 1 }
      let score = Double(l[s, total]) - Double(m)
      let sum = l[s].exponentiate(minus: m)
      let loss = logarithm(sum) - score
      losses[row] += Real(loss)
      pass.loss.sum += loss
      pass.loss.targets += 1
      l[s].scale(by: 1 / sum)
      l[s, total] -= 1
    }
    guard pass.isTraining else { return }
    for s in 0..<pass.streams { pass.d[lengthBias].row.add(l[s]) }
    guard let known, let lengthWeight else { return }
    pass.d[lengthWeight].addProduct(l.transposed, pass[known])
    pass.d[known].addProduct(l, pass[lengthWeight].transposed)
  }

  /// Returns the row whose target is the end of stream s, or nil if it is not in this window.
  private func row(ofEnd s: Int, _ pass: Pass) -> Int? {
    let t = Int(pass.batch.totals.elements()[s]) - pass.batch.position
    guard (0..<pass.steps).contains(t) else { return nil }
    let row = t * pass.streams + s
    return pass.batch.asksForEnd(row) ? row : nil
  }

  /// Returns v W + b, streams × lengths, in memory that the next call overwrites.
  func logits(_ pass: Pass) -> Matrix {
    let l = Matrix(pass.scratch(odds), rows: pass.streams, columns: longest + 1)
    if let known, let lengthWeight {
      l.setProduct(pass[known], pass[lengthWeight])
    } else {
      l.fill(0)
    }
    l.addToEveryRow(pass[lengthBias].row)
    return l
  }

  /// Samples the number of outputs of each stream before the first step and stores it in the batch.
  func draw(_ sampling: Sampling, _ random: Philox, _ drawn: inout UInt64, _ pass: Pass) {
    for s in 0..<pass.streams {
      _ = draw(sampling, random.fineUniform(drawn), row: s, pass)
      drawn += 1
    }
  }

  /// Samples the number of outputs of one stream before the first step with a uniform number in
  /// [0, 1), and stores it in the batch.
  func draw(_ sampling: Sampling, _ uniform: Double, row s: Int, _ pass: Pass) -> Int32 {
    let total = sampling.draw(logits(pass)[s], uniform) ?? 0
    pass.batch.totals.elements()[s] = total
    return total
  }

  /// Returns the outputs of the inner head. For symbols, only end-of-sequence is possible once a
  /// stream has as many outputs as `Batch.totals` says.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix {
    let l = inner.outputs(at: t, pass)
    guard let end else { return l }
    for s in 0..<l.rows where pass.batch.remaining(t, s) == 0 {
      l[s].fill(-.infinity)
      l[s, end] = 0
    }
    return l
  }
}
