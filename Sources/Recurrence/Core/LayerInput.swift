internal import LinearAlgebra

/// The input of a layer at every step.
public enum LayerInput: Sendable {
  /// The output of another layer.
  case activation(Activation)
  /// A row of a table per symbol, which the layer can read once per distinct symbol.
  case lookup(Lookup)
  /// A symbol as a one-hot row: `x W` is then a row of W.
  case symbols(Int)
  /// A frame of numbers in the batch.
  case frames(Int)
  /// No input.
  case nothing
}

extension LayerInput {
  /// True for data that comes through no weights.
  var isData: Bool {
    switch self {
    case .frames, .symbols, .nothing: true
    case .activation, .lookup: false
    }
  }

  /// True for symbols as one-hot rows, so that each column of a matrix belongs to a symbol.
  var readsOneHot: Bool {
    if case .symbols = self { true } else { false }
  }

  /// True for symbols, as they are or through a table.
  var isSymbols: Bool {
    switch self {
    case .symbols, .lookup: true
    case .activation, .frames, .nothing: false
    }
  }
}

extension Plan {
  /// Returns the width of an input.
  public func width(_ source: LayerInput) -> Int {
    switch source {
    case .activation(let x): width(x)
    case .lookup(let lookup): lookup.width
    case .symbols(let count): count
    case .frames(let width): width
    case .nothing: 0
    }
  }
}

/// An embedding lookup, a row of a matrix per symbol: `x(t) = E[symbol(t)]`, E of vocabulary ×
/// width.
public struct Lookup: Sendable {
  /// E; a tied output layer uses the same parameter.
  public let table: Parameter
  public let vocabulary: Int
  public let width: Int
  /// The dropout of whole symbols; nil for none.
  let dropout: SymbolDropout?

  /// - Parameters:
  ///   - vocabulary: The number of symbols, which is that of the table's rows.
  ///   - width: The width of an embedding.
  ///   - isTied: True if the output layer uses the table too, so that its gradient is dense.
  ///   - dropout: The dropout of whole symbols; nil for none.
  ///   - plan: The plan that the table is added to.
  public init(
    vocabulary: Int, width: Int, isTied: Bool, dropout: SymbolDropout? = nil, in plan: inout Plan
  ) {
    table = plan.parameter(
      "encoder.weight", from: width, to: vocabulary, pytorch: .normal(1), isRowSparse: !isTied,
      kind: .embedding)
    self.vocabulary = vocabulary
    self.width = width
    self.dropout = dropout
  }

  /// Copies the rows of the window's distinct symbols, in their order, to `x`.
  func read(into x: Matrix, _ pass: Pass) {
    x.gather(pass[table].matrix, at: pass.batch.distinct.symbols)
    dropout?.mask(x, of: pass.batch.distinct.symbols, pass)
  }

  /// Adds `dx`, one row per distinct symbol, to the gradient of the table; overwrites `dx`.
  func add(_ dx: Matrix, _ pass: Pass) {
    dropout?.mask(dx, of: pass.batch.distinct.symbols, pass)
    pass.d.addScattered(dx, at: pass.batch.distinct.symbols, to: table)
  }
}
