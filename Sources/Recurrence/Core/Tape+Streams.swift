public import LinearAlgebra

extension Tape {
  /// The carried steps of a state, stream by stream, the earliest first: what a stream takes along to
  /// another rank.
  public func carriedByStream(_ state: Activation, streams: Int) -> Buffer<Real> {
    let rows = carried(state, streams: streams)
    let buffer = Buffer<Real>(count: rows.rows * rows.columns)
    exchange(rows, buffer, streams: streams) { $1.copy($0) }
    return buffer
  }

  /// Carries what `carriedByStream` has told.
  public func carry(_ state: Activation, byStream buffer: Buffer<Real>, streams: Int) {
    exchange(carried(state, streams: streams), buffer, streams: streams) { $0.copy($1) }
  }

  /// Notes the numbers or labels of a stream's last step as its targets, where they are known only now.
  func note(values: Row, of stream: Int) {
    forEachCarried { last, index, _ in
      guard shapes[index].isTarget else { return }
      let width = shapes[index].width
      Matrix(last, rows: last.count / width, columns: width)[stream].copy(values)
    }
  }

  private func exchange(
    _ rows: Matrix, _ buffer: Buffer<Real>, streams: Int, _ body: (Row, Row) -> Void
  ) {
    // A rank may have no part of a batch.
    guard streams > 0 else { return }
    let lag = rows.rows / streams
    let others = Matrix(buffer, rows: rows.rows, columns: rows.columns)
    for s in 0..<streams {
      for step in 0..<lag { body(rows[step * streams + s], others[s * lag + step]) }
    }
  }
}
