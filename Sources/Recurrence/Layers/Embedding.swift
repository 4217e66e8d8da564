internal import LinearAlgebra

/// An embedding, a row of a matrix per symbol: `x(t) = E[symbol(t)]`, E of vocabulary × width.
///
/// It is needed if x is read otherwise than by a layer's input product, such as by dropout. A layer
/// directly above reads the `Lookup` itself and needs no x.
public struct Embedding: Layer {
  public let output: Activation
  let lookup: Lookup

  /// E; a tied output layer uses the same parameter.
  public var table: Parameter { lookup.table }

  /// A factor on E[symbol]; a tied output layer reads E without it.
  private let scale: Real

  public init(_ lookup: Lookup, scale: Double = 1, in plan: inout Plan) {
    self.lookup = lookup
    self.scale = Real(scale)
    output = plan.activation(lookup.width)
  }

  /// - Parameters:
  ///   - vocabulary: The number of symbols, which is that of the table's rows.
  ///   - width: The width of an embedding.
  ///   - isTied: True if the output layer uses the table too, so that its gradient is dense.
  ///   - plan: The plan that the table and the output are added to.
  public init(vocabulary: Int, width: Int, isTied: Bool, in plan: inout Plan) {
    self.init(Lookup(vocabulary: vocabulary, width: width, isTied: isTied, in: &plan), in: &plan)
  }

  public func forward(_ pass: Pass) {
    pass[output].gather(pass[table].matrix, at: pass.batch.inputs)
    lookup.dropout?.mask(pass[output], of: pass.batch.inputs, pass)
    if scale != 1 { pass[output].flattened.scale(by: scale) }
    pass.mark(.embedding)
  }

  public func backward(_ pass: Pass) {
    // No other layer reads this gradient any more.
    lookup.dropout?.mask(pass.d[output], of: pass.batch.inputs, pass)
    if scale != 1 { pass.d[output].flattened.scale(by: scale) }
    pass.d.addScattered(pass.d[output], at: pass.batch.inputs, to: table)
    pass.mark(.embedding)
  }
}
