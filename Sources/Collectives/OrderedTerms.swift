public import LinearAlgebra

/// The sum of vectors that lie in memory which this rank can read: one of each rank of a node, in the order of
/// ranks. It has the bits of `Communicator.sum`.
public final class OrderedTerms {
  /// The numbers that are added at a time, so that their sum stays in the nearest cache.
  private static let numbersAtOnce = 4_096

  private let terms: [UnsafeMutablePointer<Real>]
  private let own: Int
  private let total = Buffer<Real>(count: OrderedTerms.numbersAtOnce)

  /// - Parameters:
  ///   - terms: The vectors, by rank.
  ///   - own: The place of this rank's own, which the sums replace.
  public init(_ terms: [Buffer<Real>], own: Int) {
    self.terms = terms.map(\.start)
    self.own = own
  }

  /// Replaces a range of this rank's vector by the sum of all.
  public func add(_ range: Range<Int>) {
    guard terms.count > 1 else { return }
    for first in stride(from: range.lowerBound, to: range.upperBound, by: Self.numbersAtOnce) {
      let count = min(Self.numbersAtOnce, range.upperBound - first)
      // The sum of two terms does not depend on their order.
      if own < 2 {
        for (rank, term) in terms.enumerated() where rank != own {
          addUp(term + first, to: terms[own] + first, count)
        }
      } else {
        total.start.update(from: terms[0] + first, count: count)
        for term in terms.dropFirst() { addUp(term + first, to: total.start, count) }
        (terms[own] + first).update(from: total.start, count: count)
      }
    }
  }
}
