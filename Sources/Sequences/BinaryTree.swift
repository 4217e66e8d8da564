/// A tree whose nodes have at most two children, as an example of a batch.
///
/// Children come before their parents, and the last node is the root.
public struct BinaryTree: Equatable, Sendable {
  public struct Node: Equatable, Sendable {
    /// The symbol of a leaf; 0 for other nodes.
    public var word: Int32
    /// The target, or `Batch.noTarget`.
    public var label: Int32
    /// The indices of the children, −1 for none. A single child is the left one.
    public var left, right: Int32

    public init(word: Int32 = 0, label: Int32, left: Int32 = -1, right: Int32 = -1) {
      self.word = word
      self.label = label
      self.left = left
      self.right = right
    }
  }

  public let nodes: [Node]
  /// The height of each node: the number of edges to the furthest leaf under it; 0 for a leaf.
  let heights: [Int32]

  public init(_ nodes: [Node]) {
    precondition(!nodes.isEmpty, "a tree without nodes")
    self.nodes = nodes
    var heights: [Int32] = []
    heights.reserveCapacity(nodes.count)
    for (place, node) in nodes.enumerated() {
      precondition(
        node.left < place && node.right < place && (node.left >= 0 || node.right < 0),
        "node \(place) has the children \(node.left) and \(node.right)")
      let left = node.left < 0 ? -1 : heights[Int(node.left)]
      let right = node.right < 0 ? -1 : heights[Int(node.right)]
      heights.append(max(left, right) + 1)
    }
    self.heights = heights
  }
}
