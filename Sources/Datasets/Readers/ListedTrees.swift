internal import LinearAlgebra
public import Recurrence

/// Trees that were read from files, with labels at all nodes or at the roots alone.
public struct ListedTrees: ExampleSet {
  public let name: String
  public let trees: [BinaryTree]
  /// The number of each tree's first node, counted over all trees: what dropout is keyed by.
  let firstNodes: [Int32]
  public let hash: UInt64
  private let most: Int

  /// - Parameter isForRoots: only the label of the root is asked for.
  /// - Throws: `DataError` if there are more nodes than can be numbered.
  init(_ trees: [Tree], name: String, isForRoots: Bool) throws(DataError) {
    try self.init(trees.map { $0.binary(isForRoots: isForRoots) }, name: name)
  }

  /// - Throws: `DataError` if there are more nodes than can be numbered.
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
  /// Nodes stand for steps.
  public var longest: (steps: Int, source: Int) { (most, 0) }
  public func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    (trees[index].nodes.count, 0)
  }

  /// The words of a tree, and the label of its root.
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
  /// The same tree of nodes with at most two children.
  ///
  /// More than two are folded from the left, ((a b) c), through nodes that ask for nothing. A node with
  /// one child stays, with nothing in place of the other.
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
