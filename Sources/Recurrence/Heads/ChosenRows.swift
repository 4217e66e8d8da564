internal import LinearAlgebra

/// Rows of a window that are chosen one by one, gathered into blocks for products.
struct ChosenRows: Sendable {
  private let input: Activation
  private let gathered, scattered, places: Scratch

  /// - Parameter rows: The most rows of a block.
  init(of input: Activation, rows: ScratchRows, in plan: inout Plan) {
    self.input = input
    gathered = plan.scratch(plan.width(input), rows: rows)
    scattered = plan.scratch(plan.width(input), rows: rows)
    places = plan.scratch(1, rows: rows)
  }

  /// Calls `body` with blocks of the rows of `range` that are chosen.
  /// - Parameter body: Takes the inputs of a block, and the rows of the window at which they lie.
  @inline(__always)
  func forEachBlock(
    in range: Range<Int>, _ pass: Pass, where isChosen: (Int) -> Bool, _ body: (Matrix, Row) -> Void
  ) {
    let h = pass[input]
    let room = pass.scratch(places)
    let unit = pass.rowsOfProducts
    let most = room.count < unit ? room.count : room.count / unit * unit
    var count = 0
    func run() {
      // Zeros up to a number of rows for which a product is made already.
      let rows = min((count + unit - 1) / unit * unit, room.count)
      let block = Matrix(pass.scratch(gathered), rows: rows, columns: h.columns)
      for k in count..<rows { block[k].fill(0) }
      body(block, Row(room.start, count: count))
      count = 0
    }
    for row in range where isChosen(row) {
      Row(pass.scratch(gathered).start + count * h.columns, count: h.columns).copy(h[row])
      room.start[count] = Real(row)
      count += 1
      if count == most { run() }
    }
    if count > 0 { run() }
  }

  /// The memory for the gradients of a block's inputs.
  func gradients(of block: Matrix, _ pass: Pass) -> Matrix {
    Matrix(pass.scratch(scattered), rows: block.rows, columns: block.columns)
  }

  /// Adds the gradients of a block's inputs to those of the window.
  func scatter(_ dh: Matrix, to rows: Row, _ pass: Pass) {
    let all = pass.d[input]
    for k in 0..<rows.count { all[Int(rows[k])].add(dh[k]) }
  }
}
