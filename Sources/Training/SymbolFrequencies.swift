internal import Configuration
internal import Datasets
internal import Recurrence

extension RunOptions {
  /// Makes the model of a run for its data.
  func makeModel(for dataset: Dataset) -> any Model {
    model.makeModel(
      dataset.interface, seed: seed, objective: training.objective, ranks: model.ranks(in: dataset))
  }
}

extension ModelOptions {
  /// Returns the rank of each output symbol by its frequency in the training data, for a model whose
  /// output layer holds ranks; nil for others. Every rank counts the same symbols and gets the same
  /// result.
  func ranks(in dataset: Dataset) -> [Int32]? {
    guard output.ranksSymbols, case .symbols(let count) = dataset.interface.output else {
      return nil
    }
    let counts = dataset.train.targetCounts(of: count)
    // Among equals the symbol with the lower index comes first.
    let order = counts.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }
    var ranks = [Int32](repeating: 0, count: count)
    for (rank, symbol) in order.enumerated() { ranks[symbol] = Int32(rank) }
    return ranks
  }
}
