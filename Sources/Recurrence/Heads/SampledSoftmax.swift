internal import Glibc
public import LinearAlgebra

/// A softmax that training computes over the target and sampled symbols only (Jean, Cho, Memisevic &
/// Bengio 2015); evaluation and decoding compute the full softmax of the same weights:
///
///     p(rank r) = ln((r + 2) / (r + 1)) / ln(V + 1)         log-uniform, without replacement
///     Q(r) = 1 − (1 − p(r))ⁿ                                after n draws for S different symbols
///     l(j) = h · W(j) + b(j) − ln Q(j)                      of the target and the samples
///     loss = ln Σ exp l − l(target)
///
/// A sample that is the target of a row does not count in that row, as in TensorFlow's
/// `sampled_softmax_loss` with `remove_accidental_hits`. The samples are a function of the seed and the
/// step, the same for all rows, micro-batches and ranks. Products with the sampled rows of W are in
/// single precision.
///
/// A window changes few rows of the gradient, which is therefore row-sparse.
public struct SampledSoftmax: Head {
  private let full: SoftmaxCrossEntropy
  /// S
  private let samples: Int
  private let random: Philox
  private let ranks: SymbolRanks
  private let rows: ChosenRows
  private let cap: LogitCap?
  private let input: Activation
  /// The samples: their symbols, biases, −ln Q, and rows of W.
  private let symbols, biases, corrections, weights: Scratch
  /// The gradients of biases and rows of W.
  private let biasGradients, weightGradients: Scratch
  /// Of each row of a block: the logits, and the gradient of the target's logit.
  private let logits, targets: Scratch
  private let product: Scratch
  /// For each symbol, its number among the samples from 1 on; 0 for no sample.
  private let taken: Scratch
  private let symbolsByRank: Scratch

  public var weight: Parameter { full.weight }
  public var bias: Parameter? { full.bias }

  /// - Parameters:
  ///   - tied: The embedding table that is also W; nil for a matrix of its own.
  ///   - excluded: The symbol with probability 0; nil for none.
  init(
    _ samples: Int, _ output: OutputOptions, vocabulary: Int, reading input: Activation,
    tied: Parameter?, excluding excluded: Int?, in plan: inout Plan
  ) {
    precondition(
      samples >= 1 && 2 * samples <= vocabulary, "\(samples) samples of \(vocabulary) symbols")
    self.samples = samples
    self.input = input
    random = Philox(seed: plan.seed, name: "sampled softmax")
    ranks = SymbolRanks(
      vocabulary, stores: output.ranksSymbols, name: "decoder.ranks", in: &plan)
    full = SoftmaxCrossEntropy(
      vocabulary: vocabulary, reading: input, tied: tied, bias: output.hasBias,
      excluding: excluded, softCap: output.softCap, isRowSparse: true, in: &plan)
    plan.note(
      ProductShare(training: Double(samples) / Double(vocabulary), evaluation: 1), of: full.weight)
    cap = LogitCap(output.softCap, width: samples, in: &plan)
    let block = ScratchRows.blocks(of: OutputLayer.rowsOfBlock(samples))
    rows = ChosenRows(of: input, rows: block, in: &plan)
    let width = plan.width(input)
    symbols = plan.scratch(samples)
    biases = plan.scratch(samples)
    corrections = plan.scratch(samples)
    weights = plan.scratch(width, rows: .fixed(samples))
    biasGradients = plan.scratch(samples)
    weightGradients = plan.scratch(width, rows: .fixed(samples))
    logits = plan.scratch(samples, rows: block)
    targets = plan.scratch(1, rows: block)
    product = plan.scratch(width)
    taken = plan.scratch(vocabulary)
    symbolsByRank = plan.scratch(vocabulary)
  }

  public func forward(_ pass: Pass) {
    guard pass.isTraining else { return full.forward(pass) }
    pass.loss.clear()
    pass.loss.rows.elements(count: pass[input].rows).update(repeating: 0)
    let draws = draw(pass)
    row(biasGradients, pass).fill(0)
    matrix(weightGradients, pass).fill(0)
    rows.forEachBlock(
      in: 0..<pass[input].rows, pass, where: { pass.batch.hasTarget($0) }
    ) { h, rows in forward(h, rows, draws, pass) }
    addGradients(pass)
  }

  /// Computes the loss of a block of rows and accumulates its gradients.
  private func forward(_ h: Matrix, _ places: Row, _ draws: Int, _ pass: Pass) {
    let w = matrix(weights, pass)
    let l = Matrix(pass.scratch(logits), rows: h.rows, columns: samples)
    l.setProduct(h, w.transposed)
    let (losses, dt) = (pass.loss.rows.elements(), pass.scratch(targets).elements())
    for k in 0..<places.count {
      let place = Int(places[k])
      let (loss, gradient) = evaluate(l[k], h[k], target(place, pass), draws, pass)
      losses[place] = Real(loss)
      pass.loss.sum += loss
      dt[k] = gradient
      row(biasGradients, pass).add(l[k])
    }
    for k in places.count..<l.rows { l[k].fill(0) }
    pass.loss.targets += places.count
    matrix(weightGradients, pass).addProduct(l.transposed, h)
    let dh = rows.gradients(of: h, pass)
    dh.setProduct(l, w)
    let product = Row(pass.scratch(product).start, count: h.columns)
    for k in 0..<places.count {
      let target = target(Int(places[k]), pass)
      product.copy(pass.weights[weight][target])
      product.scale(by: dt[k])
      dh[k].add(product)
      product.copy(h[k])
      product.scale(by: dt[k])
      pass.d.add(product, to: weight, row: target)
      if let bias { pass.d[bias].row[target] += dt[k] }
    }
    rows.scatter(dh, to: places, pass)
  }

  /// Computes the loss of one row and replaces the products of its samples with their gradients.
  /// - Returns: The loss, and the gradient of h · W(target) + b(target).
  private func evaluate(
    _ l: Row, _ h: Row, _ target: Int, _ draws: Int, _ pass: Pass
  ) -> (loss: Double, gradient: Real) {
    if bias != nil { l.add(row(biases, pass)) }
    cap?.apply(to: l, pass)
    l.add(row(corrections, pass))
    var own = h.dot(pass.weights[weight][target])
    if let bias { own += pass.weights[bias][0, target] }
    var slope: Real = 1
    if let cap { (own, slope) = cap.capped(own) }
    own += Real(correction(ofRank: ranks.rank(of: target, pass), draws))
    let hit = Int(pass.scratch(taken).start[target])
    if hit > 0 { l[hit - 1] = -.infinity }
    let best = l.maximum
    if own > best { pass.loss.correct += 1 }
    let m = own > best || best.isNaN ? own : best
    let power = LinearAlgebra.exp(own - m)
    let total = l.exponentiate(minus: m) + power
    l.scale(by: 1 / total)
    cap?.differentiate(l, pass)
    return (logarithm(total) + Double(m) - Double(own), (power / total - 1) * slope)
  }

  // MARK: Samples

  /// Draws the samples of this step and gathers their weights.
  /// - Returns: The number of draws until all samples were different.
  private func draw(_ pass: Pass) -> Int {
    let byRank = Row(pass.scratch(symbolsByRank).start, count: full.vocabulary)
    ranks.invert(into: byRank, pass)
    let (taken, symbols) = (pass.scratch(taken).start, row(symbols, pass))
    let size = Glibc.log(Double(full.vocabulary) + 1)
    var (count, draws) = (0, 0)
    while count < samples {
      let u = random.fineUniform(draws, stream: 0, position: pass.batch.step, epoch: 0)
      draws += 1
      let rank = min(Int(Glibc.exp(u * size)) - 1, full.vocabulary - 1)
      let symbol = Int(byRank[rank])
      if taken[symbol] != 0 || symbol == full.excluded { continue }
      symbols[count] = Real(symbol)
      row(corrections, pass)[count] = Real(rank)
      count += 1
      taken[symbol] = Real(count)
    }
    let (w, b) = (matrix(weights, pass), row(biases, pass))
    for j in 0..<samples {
      let symbol = Int(symbols[j])
      w[j].copy(pass.weights[weight][symbol])
      if let bias { b[j] = pass.weights[bias][0, symbol] }
      let rank = Int(row(corrections, pass)[j])
      row(corrections, pass)[j] = Real(correction(ofRank: rank, draws))
    }
    return draws
  }

  /// Returns −ln Q for the symbol of a rank.
  private func correction(ofRank r: Int, _ draws: Int) -> Double {
    let p =
      Glibc.log((Double(r) + 2) / (Double(r) + 1)) / Glibc.log(Double(full.vocabulary) + 1)
    return -Glibc.log(-Glibc.expm1(Double(draws) * Glibc.log1p(-p)))
  }

  /// Adds the gradients of the samples, and forgets the samples.
  private func addGradients(_ pass: Pass) {
    let (symbols, dw, db) = (
      row(symbols, pass), matrix(weightGradients, pass), row(biasGradients, pass)
    )
    for j in 0..<samples {
      let symbol = Int(symbols[j])
      pass.d.add(dw[j], to: weight, row: symbol)
      if let bias { pass.d[bias].row[symbol] += db[j] }
      pass.scratch(taken).start[symbol] = 0
    }
  }

  private func target(_ row: Int, _ pass: Pass) -> Int {
    let target = Int(pass.batch.targets.start[row])
    precondition(
      target >= 0 && target < full.vocabulary && target != full.excluded,
      "target \(target) of \(full.vocabulary)")
    return target
  }

  private func row(_ scratch: Scratch, _ pass: Pass) -> Row {
    Row(pass.scratch(scratch).start, count: samples)
  }

  private func matrix(_ scratch: Scratch, _ pass: Pass) -> Matrix {
    let memory = pass.scratch(scratch)
    return Matrix(memory, rows: samples, columns: memory.count / samples)
  }

  /// Returns the logits of every stream at step t, of all symbols.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix { full.outputs(at: t, pass) }
}
