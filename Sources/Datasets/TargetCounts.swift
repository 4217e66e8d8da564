internal import LinearAlgebra
internal import Sequences

extension Split {
  /// The most symbols that are counted.
  private static let mostCounted = 1 << 26

  /// Returns how often each of `symbols` output symbols occurs among the first 2²⁶ targets: of a text, in
  /// its order; of a mixture, each corpus by its weight; of sequences, in the order of their files or, if they
  /// are generated, of the first epoch.
  public func targetCounts(of symbols: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: symbols)
    switch self {
    case .text(let corpus): corpus.count(first: Self.mostCounted, into: &counts)
    case .mixture(let mixture):
      for (corpus, share) in zip(mixture.corpora, mixture.shares) {
        corpus.count(first: Int(Double(Self.mostCounted) * share), into: &counts)
      }
    case .examples(let set):
      var counted = 0
      for index in 0..<set.count where counted < Self.mostCounted {
        for target in set.example(index, epoch: 1).targets where target >= 0 {
          counts[Int(target)] += 1
          counted += 1
        }
      }
    }
    return counts
  }
}

extension Corpus {
  /// Counts the first symbols.
  fileprivate func count(first most: Int, into counts: inout [Int]) {
    let part = Buffer<Int32>(count: 1 << 16)
    let end = min(count, most)
    for first in stride(from: 0, to: end, by: part.count) {
      let range = first..<min(first + part.count, end)
      copy(range, to: part)
      for symbol in part.elements(count: range.count) { counts[Int(symbol)] += 1 }
    }
  }
}
