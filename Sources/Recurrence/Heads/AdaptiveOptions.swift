internal import Glibc

/// The options of an adaptive softmax.
public struct AdaptiveOptions: Equatable, Sendable {
  /// The ranks at which the clusters of rare symbols begin, rising; nil for `defaultCutoffs`.
  public var cutoffs: [Int]?
  /// The factor by which each cluster's projection is narrower than the one before.
  public var divValue: Double

  public init(cutoffs: [Int]? = nil, divValue: Double = 4) {
    self.cutoffs = cutoffs
    self.divValue = divValue
  }

  /// Returns the cutoffs for a vocabulary; those of these options, or default ones.
  func cutoffs(vocabulary: Int, reading width: Int) -> [Int] {
    cutoffs ?? defaultCutoffs(vocabulary: vocabulary, reading: width)
  }

  /// Returns the width of the projection of cluster `index`, as in PyTorch:
  /// ⌊width / div_value^(index + 1)⌋.
  func width(ofCluster index: Int, reading width: Int) -> Int {
    Int(Double(width) / Glibc.pow(divValue, Double(index + 1)))
  }

  /// Returns why the options do not fit, or nil if they fit.
  func problem(vocabulary: Int, reading width: Int) -> String? {
    let cutoffs = cutoffs(vocabulary: vocabulary, reading: width)
    guard let first = cutoffs.first, let last = cutoffs.last else {
      return "the adaptive softmax needs at least one cutoff below the number of symbols "
        + "(\(vocabulary)); give model.output.cutoffs"
    }
    if first < 1 || zip(cutoffs, cutoffs.dropFirst()).contains(where: { $0 >= $1 }) {
      return "the cutoffs \(cutoffs) do not rise from at least 1; change model.output.cutoffs"
    }
    if last >= vocabulary {
      return "the last cutoff (\(last)) must be below the number of symbols (\(vocabulary)); lower "
        + "model.output.cutoffs"
    }
    let narrowest = self.width(ofCluster: cutoffs.count - 1, reading: width)
    if narrowest < 1 {
      return
        "cluster \(cutoffs.count - 1) of the adaptive softmax would have a projection of width 0 "
        + "(\(width) / \(divValue)^\(cutoffs.count)); lower model.output.div_value or give fewer cutoffs"
    }
    return nil
  }

  /// Returns the cutoffs ⌊V^0.7⌋ and ⌊V^0.9⌋ for V symbols; only the first where a second cluster
  /// would have a projection of width 0.
  ///
  /// If frequencies follow Zipf's law, the k most frequent symbols have the share ln k / ln V of the
  /// targets. So seven tenths of the targets are in the head, and two and one tenths in the clusters.
  private func defaultCutoffs(vocabulary: Int, reading width: Int) -> [Int] {
    let shares = self.width(ofCluster: 1, reading: width) >= 1 ? [0.7, 0.9] : [0.7]
    var cutoffs: [Int] = []
    for share in shares {
      let cutoff = Int(Glibc.pow(Double(vocabulary), share))
      if cutoff > cutoffs.last ?? 0, cutoff < vocabulary { cutoffs.append(cutoff) }
    }
    return cutoffs
  }
}
