internal import LinearAlgebra

/// The rank of each symbol by its frequency in the training data, the most frequent first.
///
/// The ranks are a frozen vector of the model, so a checkpoint holds them, and every command finds the
/// symbols of a trained cluster again. They are stored as whole numbers in `Real`. Without a vector the
/// index of a symbol is its rank.
struct SymbolRanks: Sendable {
  private let ranks: Parameter?
  private let count: Int

  /// - Parameter stores: True for a vector of ranks; false if the index of a symbol is its rank.
  init(_ count: Int, stores: Bool, name: String, in plan: inout Plan) {
    self.count = count
    guard stores else {
      ranks = nil
      return
    }
    let rate = plan.scope.rateFactor
    plan.scope.rateFactor = 0
    ranks = plan.vector(
      name, count: count, pytorch: .zero, parts: [InitialValue.Part(0, of: 1, .ranks(plan.ranks))])
    plan.scope.rateFactor = rate
  }

  /// Returns the rank of a symbol.
  @inline(__always) func rank(of symbol: Int, _ pass: Pass) -> Int {
    guard let ranks else { return symbol }
    return Int(pass.weights[ranks][0, symbol].rounded())
  }

  /// Sorts a row by symbols that is sorted by ranks.
  /// - Parameter other: Memory for a row.
  func sortBySymbol(_ row: Row, _ other: Row, _ pass: Pass) {
    guard let ranks else { return }
    other.copy(row)
    pick(other, at: pass.weights[ranks][0], into: row)
  }

  /// Writes the symbol of each rank.
  func invert(into symbols: Row, _ pass: Pass) {
    if let ranks {
      scatterIndices(at: pass.weights[ranks][0], into: symbols)
    } else {
      for symbol in 0..<count { symbols[symbol] = Real(symbol) }
    }
  }
}

/// y(j) = x(place(j))
@inline(never) private func pick(_ x: Row, at places: Row, into y: Row) {
  for j in 0..<y.count { y[j] = x[Int(places[j].rounded())] }
}
/// y(place(j)) = j
@inline(never) private func scatterIndices(at places: Row, into y: Row) {
  for j in 0..<y.count { y[Int(places[j].rounded())] = Real(j) }
}
