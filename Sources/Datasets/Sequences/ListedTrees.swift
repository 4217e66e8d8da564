internal import LinearAlgebra
public import Sequences

/// A set of trees read from files, with labels at all nodes or at the roots only.
public struct ListedTrees: ExampleSet {
  public let name: String
  public let trees: [BinaryTree]
  /// The number of each tree's first node, counted over all trees: the key of dropout.
  let firstNodes: [Int32]
  public let hash: UInt64
  private let most: Int

  /// - Parameter isForRoots: True if only the root's label is a target.
  /// - Throws: `DataError` if there are too many nodes to number.
  init(_ trees: [Tree], name: String, isForRoots: Bool) throws(DataError) {
    try self.init(trees.map { $0.binary(isForRoots: isForRoots) }, name: name)
  }

  /// - Throws: `DataError` if there are too many nodes to number.
  init(_ trees: [BinaryTree], name: String) throws(DataError) {
    self.name = name
    self.trees = trees
    var fingerprint = Fingerprint()
    var firstNodes: [Int32] = []
    var nodes = 0
    for tree in self.trees {
      firstNodes.append(Int32(truncatingIfNeeded: nodes))
      nodes += tree.nodes.count
      fingerprint.add(tree.nodes.count)
      for node in tree.nodes {
        for number in [node.word, node.label, node.left, node.right] {
          fingerprint.add(Int(number))
        }
      }
    }
    guard nodes <= Int(Int32.max) else {
      throw DataError("\(name) has \(nodes) nodes in its trees: give at most \(Int32.max)")
    }
    self.firstNodes = firstNodes
    hash = fingerprint.value
    most = self.trees.map(\.nodes.count).max() ?? 0
  }

  public var count: Int { trees.count }
  public var shape: ExampleShape { ExampleShape() }
  /// The number of nodes takes the place of steps.
  public var longest: (steps: Int, source: Int) { (most, 0) }
  public func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    (trees[index].nodes.count, 0)
  }

  /// Returns the words of a tree, and the label of its root.
  public func example(_ index: Int, epoch: Int) -> Example {
    var example = Example()
    let nodes = trees[index].nodes
    example.inputs = nodes.filter { $0.left < 0 }.map(\.word)
    example.ask(once: Int(nodes.last!.label), steps: example.inputs.count)
    return example
  }

  public func loader(_ request: LoaderRequest) throws(DataError) -> any BatchLoader {
    try TreeLoader(self, request)
  }
}

extension Tree {
  /// Converts the tree to nodes with at most two children.
  ///
  /// More children are folded from the left, ((a b) c), with new nodes that have no target. A node
  /// with one child keeps it as its left child.
  func binary(isForRoots: Bool) -> BinaryTree {
    var found: [BinaryTree.Node] = []
    var places: [Int32] = []
    for (number, node) in nodes.enumerated() {
      let isAsked = !isForRoots || number == nodes.count - 1
      let label = isAsked ? node.label : Batch.noTarget
      if let word = node.word {
        found.append(.init(word: word, label: label))
      } else {
        var left = places[node.children[0]]
        for child in node.children.dropFirst().dropLast() {
          found.append(.init(label: Batch.noTarget, left: left, right: places[child]))
          left = Int32(found.count - 1)
        }
        let right = node.children.count > 1 ? places[node.children.last!] : -1
        found.append(.init(label: label, left: left, right: right))
      }
      places.append(Int32(found.count - 1))
    }
    return BinaryTree(found)
  }
}
