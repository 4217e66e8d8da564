internal import LinearAlgebra

/// Looks up a row of a matrix for every symbol: `x(t) = E[symbol(t)]`, E of vocabulary × width.
///
/// Needed where something other than a layer's products reads x, such as dropout; a layer right above
/// reads the `Lookup` itself and needs no x.
public struct Embedding: Layer {
  public let output: Activation
  let lookup: Lookup

  /// E; a tied output layer uses the same parameter.
  public var table: Parameter { lookup.table }

  public init(_ lookup: Lookup, in plan: inout Plan) {
    self.lookup = lookup
    output = plan.activation(lookup.width)
  }

  /// - Parameter isTied: the output layer reads the table too, so that its gradient is dense.
  public init(vocabulary: Int, width: Int, isTied: Bool, in plan: inout Plan) {
    self.init(Lookup(vocabulary: vocabulary, width: width, isTied: isTied, in: &plan), in: &plan)
  }

  public func forward(_ pass: Pass) {
    pass[output].gather(pass[table].matrix, at: pass.batch.inputs)
    pass.mark(.embedding)
  }

  public func backward(_ pass: Pass) {
    pass.d.addScattered(pass.d[output], at: pass.batch.inputs, to: table)
    pass.mark(.embedding)
  }
}
