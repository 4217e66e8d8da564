internal import LinearAlgebra

/// What a layer reads at every step.
public enum LayerInput: Sendable {
  /// What another layer has computed.
  case activation(Activation)
  /// A row of a table for every symbol, which the layer may read once per different symbol.
  case lookup(Lookup)
  /// A symbol itself, as a row of zeros with a 1 in its place: `x W` is then a row of W.
  case symbols(Int)
  /// A frame of numbers of the batch.
  case frames(Int)
  /// Nothing.
  case nothing
}

extension LayerInput {
  /// True of the data themselves, through no weights.
  var isData: Bool {
    switch self {
    case .frames, .symbols, .nothing: true
    case .activation, .lookup: false
    }
  }

  /// True of symbols, by themselves or through a table.
  var isSymbols: Bool {
    switch self {
    case .symbols, .lookup: true
    case .activation, .frames, .nothing: false
    }
  }
}

extension Plan {
  /// The width of what is read.
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

/// A row of a matrix for every symbol: `x(t) = E[symbol(t)]`, E of vocabulary × width.
public struct Lookup: Sendable {
  /// E; a tied output layer uses the same parameter.
  public let table: Parameter
  public let vocabulary: Int
  public let width: Int

  /// - Parameter isTied: the output layer reads the table too, so that its gradient is dense.
  public init(vocabulary: Int, width: Int, isTied: Bool, in plan: inout Plan) {
    table = plan.parameter(
      "encoder.weight", from: width, to: vocabulary, pytorch: .normal(1), isRowSparse: !isTied)
    self.vocabulary = vocabulary
    self.width = width
  }

  /// The rows of the window's different symbols, in their order, into `x`.
  func read(into x: Matrix, _ pass: Pass) {
    x.gather(pass[table].matrix, at: pass.batch.distinct.symbols)
  }

  /// Adds `dx`, a row for each different symbol, to the gradient of the table.
  func add(_ dx: Matrix, _ pass: Pass) {
    pass.d.addScattered(dx, at: pass.batch.distinct.symbols, to: table)
  }
}
