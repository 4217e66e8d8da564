internal import LinearAlgebra
internal import Sequences

/// The affine map `l = h W + b` of a head, computed for the rows of a window that have a target.
///
/// In training, a head works on blocks of rows: it computes their loss and accumulates their
/// gradients at once, so the outputs of a whole window never exist in memory. Rows without a target
/// cost nothing. The gradient is that of the *sum* over targets; the optimizer's step divides it.
struct OutputLayer: Sendable {
  /// The weight matrix; in a tied model, the embedding's table.
  let weight: Parameter
  let width: Int
  let input: Activation
  let bias: Parameter?
  /// True for an extra output beside another head, to whose loss it adds. It is then computed for
  /// every row with an output or end-of-sequence as target, and the other head counts the targets.
  private let isAuxiliary: Bool
  private let outputs, gathered, scattered: Scratch

  /// - Parameters:
  ///   - name: The prefix of the parameters' names, before `.weight` and `.bias`.
  ///   - tied: The embedding table that is also the weight here; nil for a weight of its own.
  ///   - isAuxiliary: True if another head has computed its loss before.
  ///   - isRowSparse: True if the gradient of the weight is not computed here, and few of its rows are
  ///     in a window.
  init(
    _ width: Int, reading input: Activation, name: String = "decoder", tied: Parameter? = nil,
    bias hasBias: Bool = true, isAuxiliary: Bool = false, isRowSparse: Bool = false,
    in plan: inout Plan
  ) {
    self.isAuxiliary = isAuxiliary
    let read = plan.width(input)
    let spread = Distribution.uniform(1 / Double(read).squareRoot())
    self.width = width
    self.input = input
    weight =
      tied
      ?? plan.parameter(
        name + ".weight", from: read, to: width, pytorch: spread, isRowSparse: isRowSparse)
    bias = hasBias ? plan.vector(name + ".bias", count: width, pytorch: spread) : nil
    let rows = ScratchRows.blocks(of: Self.rowsOfBlock(width))
    outputs = plan.scratch(width, rows: rows)
    gathered = plan.scratch(read, rows: rows)
    scattered = plan.scratch(read, rows: rows)
  }

  /// Returns the most rows of a block of outputs.
  ///
  /// Each block reads the weights once and reads and writes their gradient once, so blocks are as
  /// large as memory allows: 32 MB of outputs, but enough rows for fast products.
  static func rowsOfBlock(_ width: Int) -> Int { min(max(8_388_608 / width, 64), 1024) }

  /// Computes the loss of every row with a target, and in training accumulates the gradients.
  /// - Parameter evaluate: Takes one row of h W, without the bias, and the row's index in the
  ///   window; returns the loss. In training it replaces the row with the gradient of the loss and
  ///   adds that to the gradient of the bias.
  @inline(__always)
  func forward(_ pass: Pass, _ evaluate: (Row, Int) -> Double) {
    if !isAuxiliary { pass.loss.clear() }
    let h = pass[input]
    let block = evenBlock(of: h.rows, atMost: room(pass))
    var row = 0
    while row < h.rows {
      let rows = row..<min(row + block, h.rows)
      self.evaluate(rows, pass, evaluate)
      row = rows.upperBound
    }
  }

  /// Does the same as `forward`, but passes `evaluate` rows with the bias and accumulates the
  /// gradient of the bias itself.
  @inline(__always)
  func forwardBiased(_ pass: Pass, _ evaluate: (Row, Int) -> Double) {
    guard let bias else { return forward(pass, evaluate) }
    forward(pass) { y, row in
      y.add(pass[bias].row)
      let loss = evaluate(y, row)
      if pass.isTraining { pass.d[bias].row.add(y) }
      return loss
    }
  }

  @inline(__always)
  private func evaluate(_ rows: Range<Int>, _ pass: Pass, _ evaluate: (Row, Int) -> Double) {
    let losses = pass.loss.rows.elements()
    var asked = 0
    for row in rows {
      if !isAuxiliary { losses[row] = 0 }
      if asks(row, pass.batch) { asked += 1 }
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
    let l = outputs(of: h, pass)
    if rows.count == pass[input].rows { pass.releasePackedWeights() }
    var k = 0
    for row in rows where asks(row, pass.batch) {
      let loss = evaluate(l[k], row)
      losses[row] += Real(loss)
      pass.loss.sum += loss
      k += 1
    }
    if !isAuxiliary { pass.loss.targets += asked }
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

  private func asks(_ row: Int, _ batch: Batch) -> Bool {
    batch.hasTarget(row) || isAuxiliary && batch.asksForEnd(row)
  }

  /// Returns the number of rows that fit into the memory for outputs.
  private func room(_ pass: Pass) -> Int { pass.scratch(outputs).count / width }

  /// Returns h W for some rows, in memory that the next call overwrites.
  private func outputs(of h: Matrix, _ pass: Pass) -> Matrix {
    let l = Matrix(pass.scratch(outputs), rows: h.rows, columns: width)
    l.setProduct(h, pass[weight])
    return l
  }

  /// Returns h W + b of every stream at step t, in memory that the next call overwrites.
  func outputs(at t: Int, _ pass: Pass) -> Matrix {
    let h = pass[input, t]
    precondition(h.rows <= room(pass), "outputs of \(h.rows) streams at once")
    let l = outputs(of: h, pass)
    if let bias { l.addToEveryRow(pass[bias].row) }
    return l
  }

  private func gather(
    _ rows: Range<Int>, from source: Matrix, _ batch: Batch, into h: Matrix
  ) {
    var k = 0
    for row in rows where asks(row, batch) {
      h.slice(rows: k..<k + 1).copy(source.slice(rows: row..<row + 1))
      k += 1
    }
  }

  private func scatter(
    _ dh: Matrix, _ rows: Range<Int>, _ batch: Batch, into destination: Matrix
  ) {
    var k = 0
    for row in rows where asks(row, batch) {
      destination.slice(rows: row..<row + 1).add(dh.slice(rows: k..<k + 1))
      k += 1
    }
  }
}
