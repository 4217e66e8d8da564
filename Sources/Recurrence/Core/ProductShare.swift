internal import Glibc

/// The share of the rows of a window that are multiplied with a matrix, by which operations are counted.
public struct ProductShare: Sendable, Equatable {
  public let training: Double
  public let evaluation: Double

  /// Every row, as in a layer.
  static let all = ProductShare(training: 1, evaluation: 1)
  /// No row, as in an embedding, of which rows are looked up.
  static let none = ProductShare(training: 0, evaluation: 0)

  /// Returns the share of the targets that have some of the ranks from 0 on, if frequencies follow Zipf's law:
  /// (H(b) − H(a)) / H(V) with H(n) = 1 + 1/2 + … + 1/n ≈ ln n + γ + 1 / 2n.
  static func ofRanks(_ ranks: Range<Int>, of vocabulary: Int) -> ProductShare {
    func sum(_ count: Int) -> Double {
      let n = Double(count)
      return count == 0 ? 0 : Glibc.log(n) + 0.577_215_664_901_532_9 + 1 / (2 * n)
    }
    let share = (sum(ranks.upperBound) - sum(ranks.lowerBound)) / sum(vocabulary)
    return ProductShare(training: share, evaluation: share)
  }
}
