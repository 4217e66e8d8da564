public import LinearAlgebra

/// The number of outputs of a sequence, predicted before the first of them, beside the head of the outputs
/// (Goodfellow, Bengio & Courville 2016, section 10.2.3):
///
///     p(τ) = softmax(v W + b) over 0 … the longest,   loss = −ln p(τ) once a sequence + the head's losses
///
/// v is what is known of the sequence: what an encoder has read and a condition, one beside the other;
/// without both, b alone says how often lengths come. −ln p(τ) is the loss of the step that asks for the
/// end, one target as an end symbol would be.
public struct PredictedLength: Head {
  let inner: any Head
  /// The greatest τ that has a probability.
  let longest: Int
  /// v, on the axis of streams.
  private let known: Activation?
  /// W and b; W is nil where nothing is known.
  let lengthWeight: Parameter?
  private let lengthBias: Parameter
  /// Of symbols, the one that says the end in `outputs`.
  private let end: Int?
  private let odds: Scratch

  public var weight: Parameter { inner.weight }
  public var bias: Parameter? { inner.bias }

  /// - Parameters:
  ///   - inner: predicts the outputs, of which `end` is none.
  ///   - end: where outputs are symbols, the one that stands for the end.
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

  /// The row that asks for the end of stream s, if it is in this window.
  private func row(ofEnd s: Int, _ pass: Pass) -> Int? {
    let t = Int(pass.batch.totals.elements()[s]) - pass.batch.position
    guard (0..<pass.steps).contains(t) else { return nil }
    let row = t * pass.streams + s
    return pass.batch.asksForEnd(row) ? row : nil
  }

  /// v W + b, streams × lengths, in memory that the next call overwrites.
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

  /// Draws the number of outputs of each stream, before anything was read, and lets it have so many.
  func draw(_ sampling: Sampling, _ random: Philox, _ drawn: inout UInt64, _ pass: Pass) {
    let l = logits(pass)
    for s in 0..<l.rows {
      pass.batch.totals.elements()[s] = sampling.draw(l[s], random.fineUniform(drawn)) ?? 0
      drawn += 1
    }
  }

  /// What the head predicts; of symbols, the end alone once there are as many as `Batch.totals` says.
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
