internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// The sum of the gradients of 2ᵏ micro-batches in a binary tree: (g₀ + g₂) + (g₁ + g₃) of four.
///
/// A leaf is added to its neighbour as soon as both are there, so k vectors besides the gradient are enough.
/// With `Communicator.sumInTree` over ranks, the sum has the same bits for any number of ranks that
/// divides the number of all leaves.
final class GradientTree {
  /// The sum of the leaves so far is spread over the first of these; the first is the gradient.
  private let vectors: [ParameterVector]
  private let leaves: Int

  /// - Parameter leaves: The number of micro-batches of this rank, a power of two.
  init(of gradient: ParameterVector, leaves: Int) {
    precondition(leaves.nonzeroBitCount == 1, "a tree of \(leaves) leaves")
    self.leaves = leaves
    vectors =
      [gradient]
      + (0..<leaves.trailingZeroBitCount).map { _ in ParameterVector(gradient.layout) }
  }

  /// Replaces the gradient by the sum of what `find` adds for each leaf.
  /// - Parameter find: Adds the gradient of a micro-batch to a vector of zeros.
  func sum(_ find: (_ leaf: Int, ParameterVector) -> Void) {
    let levels = leaves.trailingZeroBitCount
    for step in 0..<leaves {
      // Leaves whose numbers differ in the highest bit are neighbours.
      let leaf = (0..<levels).reduce(0) { $0 | (step >> $1 & 1) << (levels - 1 - $1) }
      var depth = step.nonzeroBitCount
      vectors[depth].clear()
      find(leaf, vectors[depth])
      var rest = step
      while rest & 1 == 1 {
        vectors[depth - 1].add(vectors[depth])
        (depth, rest) = (depth - 1, rest >> 1)
      }
    }
  }
}

extension ParameterVector {
  /// Adds the numbers of another vector that may not be zero.
  fileprivate func add(_ other: ParameterVector) {
    let (own, others) = (buffer.start, other.buffer.start)
    let dense = layout.dense.count
    addUp(UnsafePointer(others), to: own, dense)
    for entry in layout.rowSparse {
      let (rows, read) = (touchedRows(entry.parameter)!, other.touchedRows(entry.parameter)!)
      read.forEachRun { run in
        let range = entry.range(ofRows: run)
        addUp(UnsafePointer(others + range.lowerBound), to: own + range.lowerBound, range.count)
        for row in run { rows.insert(row) }
      }
    }
  }
}

/// y ← y + x
@inline(never)
private func addUp(_ x: UnsafePointer<Real>, to y: UnsafeMutablePointer<Real>, _ count: Int) {
  for i in 0..<count { y[i] += x[i] }
}
