/// A sentence as a tree with a label at every node.
///
/// Children come before their parents, and left ones before right ones; the last node is the root.
public struct Tree: Equatable, Sendable {
  public struct Node: Equatable, Sendable {
    public var label: Int32
    /// The symbol of a leaf; nil for a node with children.
    public var word: Int32?
    /// The indices of the children, from left to right.
    public var children: [Int]
    /// The words under the node, as a range of the sentence.
    public var words: Range<Int>
  }

  public internal(set) var nodes: [Node] = []

  public var root: Node { nodes[nodes.count - 1] }
  /// The words of the sentence.
  public var words: [Int32] { nodes.compactMap(\.word) }
}
