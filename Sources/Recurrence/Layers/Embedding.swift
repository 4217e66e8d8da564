internal import LinearAlgebra

/// Looks up a row of a matrix for every symbol: `x(t) = E[symbol(t)]`, E of vocabulary × width.
public struct Embedding: Layer {
  public let output: Activation
  /// E; a tied output layer uses the same parameter.
  public let table: Parameter

  /// - Parameter isTied: the output layer reads the table too, so that its gradient is dense.
  public init(vocabulary: Int, width: Int, isTied: Bool, in plan: inout Plan) {
    table = plan.parameter(
      "encoder.weight", from: width, to: vocabulary, pytorch: .normal(1), isRowSparse: !isTied)
    output = plan.activation(width)
  }

  public func forward(_ pass: Pass) {
    let (x, table) = (pass[output], pass[table].matrix)
    for row in 0..<x.rows {
      let symbol = Int(pass.batch.inputs.start[row])
      precondition(symbol >= 0 && symbol < table.rows, "symbol \(symbol) of \(table.rows)")
      x.slice(rows: row..<row + 1).copy(table.slice(rows: symbol..<symbol + 1))
    }
    pass.mark(.embedding)
  }

  public func backward(_ pass: Pass) {
    let (dx, gradient) = (pass.d[output], pass.d[table])
    for row in 0..<dx.rows {
      let symbol = Int(pass.batch.inputs.start[row])
      gradient.slice(rows: symbol..<symbol + 1).add(dx.slice(rows: row..<row + 1))
    }
    pass.mark(.embedding)
  }
}
