public import LinearAlgebra

/// The trees of a batch, with their nodes sorted by height.
///
/// A row is a node. The leaves of all trees come first, then all nodes of height 1, and so on. Each
/// height is one block of rows whose children lie in earlier blocks. A network over trees goes from
/// height to height as a recurrent one goes from step to step, and no row is padding.
public final class Forest: @unchecked Sendable {
  /// The rows of each node's children, −1 for none.
  public let left, right: Buffer<Int32>
  /// 1 for a root, 0 for other nodes.
  let roots: Buffer<UInt8>
  /// The number of trees.
  public fileprivate(set) var treeCount = 0
  /// The number of heights, and the first row of each. One more entry marks the end.
  public private(set) var heights = 0
  private let starts: Buffer<Int32>
  /// The row of each node in the order of the trees, and the next free row of each height.
  private let places, ends: Buffer<Int32>

  /// Allocates memory for `rows` nodes.
  public init(rows: Int) {
    left = Buffer(count: rows)
    right = Buffer(count: rows)
    roots = Buffer(count: rows)
    starts = Buffer(count: rows + 1)
    places = Buffer(count: rows)
    ends = Buffer(count: rows)
  }

  /// Returns the rows of the nodes of a height.
  public func rows(ofHeight height: Int) -> Range<Int> {
    Int(starts.start[height])..<Int(starts.start[height + 1])
  }

  /// The number of leaves, which are the first rows.
  public var leaves: Int { Int(starts.start[1]) }

  /// Computes the rows of all nodes; allocates nothing.
  fileprivate func lay(out trees: [BinaryTree]) {
    let (starts, ends) = (starts.elements(), ends.elements())
    heights = 0
    for tree in trees { heights = max(heights, Int(tree.heights.last!) + 1) }
    for height in 0...heights { starts[height] = 0 }
    for tree in trees { for height in tree.heights { starts[Int(height) + 1] += 1 } }
    for height in 0..<heights {
      ends[height] = starts[height]
      starts[height + 1] += starts[height]
    }
    let (left, right, places) = (left.elements(), right.elements(), places.elements())
    let roots = roots.elements()
    var first = 0
    for tree in trees {
      for (k, node) in tree.nodes.enumerated() {
        let height = Int(tree.heights[k])
        let row = ends[height]
        ends[height] += 1
        places[first + k] = row
        left[Int(row)] = node.left < 0 ? -1 : places[first + Int(node.left)]
        right[Int(row)] = node.right < 0 ? -1 : places[first + Int(node.right)]
        roots[Int(row)] = k == tree.nodes.count - 1 ? 1 : 0
      }
      first += tree.nodes.count
    }
  }

  /// Returns the row of node k; k counts over all trees in their order.
  func row(ofNode k: Int) -> Int { Int(places.start[k]) }
}

extension Batch {
  /// Lays the batch out for trees and fills it: a single step, in which every node is a stream.
  /// - Parameters:
  ///   - trees: The trees of the batch.
  ///   - keys: The key of each tree's random numbers, used for its first node.
  ///   - epoch: The number of the epoch, which random numbers such as those of dropout depend on.
  public func begin(_ trees: [BinaryTree], keys: [Int32], epoch: Int = 1) {
    guard let forest else { preconditionFailure("trees in a batch without room for them") }
    begin(steps: 1, streams: trees.reduce(0) { $0 + $1.nodes.count })
    self.epoch = epoch
    resets.clear(0..<rows)
    forest.treeCount = trees.count
    guard !trees.isEmpty else { return }
    forest.lay(out: trees)
    let (inputs, targets) = (inputs.elements(), targets.elements())
    let numbers = self.keys.elements()
    var first = 0
    for (tree, key) in zip(trees, keys) {
      for (k, node) in tree.nodes.enumerated() {
        let row = forest.row(ofNode: first + k)
        inputs[row] = node.word
        targets[row] = node.label
        numbers[row] = key + Int32(k)
      }
      first += tree.nodes.count
    }
  }

  /// True if a row is the root of a tree.
  package func isRoot(_ row: Int) -> Bool { forest.map { $0.roots.start[row] != 0 } ?? false }
}
