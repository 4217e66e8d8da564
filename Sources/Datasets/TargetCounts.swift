internal import LinearAlgebra
internal import Sequences

extension Split {
  /// The most symbols that are counted.
  private static let mostCounted = 1 << 26

  /// Returns how often each of `symbols` output symbols occurs among the first 2²⁶ targets: of a text, in
  /// its order; of sequences, in the order of their files or, if they are generated, of the first epoch.
  public func targetCounts(of symbols: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: symbols)
    switch self {
    case .text(let corpus):
      let part = Buffer<Int32>(count: 1 << 16)
      let end = Swift.min(corpus.count, Self.mostCounted)
      for first in stride(from: 0, to: end, by: part.count) {
        let range = first..<Swift.min(first + part.count, end)
        corpus.copy(range, to: part)
        for symbol in part.elements(count: range.count) { counts[Int(symbol)] += 1 }
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
