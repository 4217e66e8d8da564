import AllocationCounter
import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Networks over trees, on random trees of many shapes: the numbers of words, labels, units and
/// nodes are all different.
@Suite struct `A model of trees` {
  static let words = 9
  static let labels = 4
  static let options = [
    TreeModelOptions(.plain(hidden: 6)),
    TreeModelOptions(.lstm(embedding: 3, hidden: 5)),
  ]

  /// A leaf, a node with one child, a chain to either side, and trees of random shapes of which
  /// some nodes have one child and some ask for nothing.
  static let trees: [BinaryTree] = {
    var trees = [
      BinaryTree([.init(word: 3, label: 1)]),
      BinaryTree([.init(word: 5, label: 2), .init(label: 0, left: 0)]),
      chain(6, toTheRight: false), chain(4, toTheRight: true),
    ]
    let random = Philox(seed: 7, name: "trees")
    var drawn: UInt64 = 0
    func draw(_ count: Int) -> Int32 {
      drawn += 1
      return Int32(random.uniform(drawn) * Double(count))
    }
    for leaves in 1...7 {
      var nodes: [BinaryTree.Node] = []
      var open: [Int32] = []
      for _ in 0..<leaves {
        open.append(Int32(nodes.count))
        nodes.append(.init(word: draw(words), label: draw(labels)))
      }
      while open.count > 1 || draw(3) == 0 {
        let left = open.remove(at: Int(draw(open.count)))
        let isAlone = open.isEmpty || draw(4) == 0
        let right = isAlone ? -1 : open.remove(at: Int(draw(open.count)))
        open.append(Int32(nodes.count))
        nodes.append(
          .init(label: draw(5) == 0 ? Batch.noTarget : draw(labels), left: left, right: right))
      }
      trees.append(BinaryTree(nodes))
    }
    return trees
  }()

  static func chain(_ leaves: Int, toTheRight: Bool) -> BinaryTree {
    var nodes = [BinaryTree.Node(word: 1, label: 3)]
    for k in 1..<leaves {
      let below = Int32(nodes.count - 1)
      nodes.append(.init(word: Int32(k % words), label: Int32(k % labels)))
      nodes.append(
        .init(
          label: 0, left: toTheRight ? below + 1 : below, right: toTheRight ? below : below + 1))
    }
    return BinaryTree(nodes)
  }

  static func nodes(_ trees: [BinaryTree]) -> Int { trees.reduce(0) { $0 + $1.nodes.count } }

  /// A model with its numbers and a batch of trees.
  struct WindowTrial {
    let model: any Model
    let weights, gradient: ParameterVector
    let tape: Tape
    let batch: Batch

    init(_ options: TreeModelOptions, rows: Int = nodes(trees)) {
      var options = options
      options.initializer = .uniform(0.7)
      let interface = TaskSignature(
        input: .symbols(words), output: .symbols(labels), isTree: true)
      model = TreeModel(options, interface: interface, seed: 3)
      let layout = ParameterLayout(model.plan)
      weights = ParameterVector(layout)
      weights.initialize(seed: 5)
      gradient = ParameterVector(layout)
      tape = Tape(model.plan, steps: 1, streams: rows, derivatives: true)
      batch = Batch(rows: rows, forest: Forest(rows: rows))
    }

    /// Takes the loss of some trees and, in training, its derivatives.
    @discardableResult
    func run(_ trees: [BinaryTree] = trees, keys: [Int32]? = nil, training: Bool = true) -> Double {
      batch.begin(trees, keys: keys ?? Array(repeating: 0, count: trees.count))
      return repeated(training: training)
    }

    @discardableResult
    func repeated(training: Bool = true) -> Double {
      model.run(batch, on: tape, weights: weights, gradient: training ? gradient : nil)
      return tape.loss.sum
    }
  }

  @Test func `reads the nodes of all trees height by height`() throws {
    let trial = WindowTrial(Self.options[0])
    trial.run()
    let forest = try #require(trial.batch.forest)
    #expect(trial.batch.rows == Self.nodes(Self.trees))
    let leaves = Self.trees.reduce(0) { $0 + $1.nodes.count { $0.left < 0 } }
    #expect(forest.leaves == leaves)
    #expect(forest.rows(ofHeight: 0) == 0..<leaves)
    var next = leaves
    for height in 1..<forest.heights {
      let rows = forest.rows(ofHeight: height)
      #expect(rows.lowerBound == next && !rows.isEmpty)
      next = rows.upperBound
      for row in rows {
        let (left, right) = (Int(forest.left.start[row]), Int(forest.right.start[row]))
        let below = forest.rows(ofHeight: height - 1)
        #expect(left >= 0 && left < rows.lowerBound && right < rows.lowerBound)
        #expect(below.contains(left) || below.contains(right))
      }
    }
    #expect(next == trial.batch.rows)
    #expect(trial.tape.loss.roots == Self.trees.count { $0.nodes.last!.label >= 0 })
  }

  @Test(arguments: options)
  func `loses on a batch of trees what it loses on each alone`(_ options: TreeModelOptions) {
    let trial = WindowTrial(options)
    let together = trial.run()
    func gradient() -> [Double] {
      trial.weights.layout.entries.flatMap {
        trial.gradient.elements(of: $0).map { Double($0) }
      }
    }
    let whole = gradient()
    var sums = whole.map { _ in 0.0 }
    var (alone, correct, roots) = (0.0, 0, 0)
    let counts = (trial.tape.loss.correct, trial.tape.loss.correctRoots)
    for tree in Self.trees {
      alone += trial.run([tree])
      correct += trial.tape.loss.correct
      roots += trial.tape.loss.correctRoots
      for (k, number) in gradient().enumerated() { sums[k] += number }
    }
    let tolerance = 200 * Double(Real.ulpOfOne)
    #expect(abs(together - alone) < tolerance * alone)
    #expect(counts == (correct, roots))
    let off = zip(whole, sums).reduce(0.0) { max($0, abs($1.0 - $1.1)) }
    #expect(off < tolerance * sums.reduce(0) { max($0, abs($1)) })
  }

  @Test func `computes the plain network's equation at every node`() {
    let trial = WindowTrial(Self.options[0])
    let n = 6
    func entry(_ name: String) -> [Double] {
      let entry = trial.weights.layout.entries.first { $0.name == name }!
      return trial.weights.elements(of: entry).map { Double($0) }
    }
    let (table, weight, bias) = (
      entry("encoder.weight"), entry("tree.weight_hh"), entry("tree.bias")
    )
    let (decoder, shift) = (entry("decoder.weight"), entry("decoder.bias"))
    var expected = 0.0
    for tree in Self.trees {
      var h: [[Double]] = []
      for node in tree.nodes {
        if node.left < 0 {
          h.append(Array(table[Int(node.word) * n..<Int(node.word + 1) * n]))
        } else {
          let right = node.right < 0 ? Array(repeating: 0, count: n) : h[Int(node.right)]
          let both = h[Int(node.left)] + right
          h.append(
            (0..<n).map { j in
              let a = (0..<2 * n).reduce(bias[j]) { $0 + weight[j * 2 * n + $1] * both[$1] }
              return Foundation.tanh(a)
            })
        }
        guard node.label >= 0 else { continue }
        let powers = (0..<Self.labels).map { k in
          Foundation.exp((0..<n).reduce(shift[k]) { $0 + decoder[k * n + $1] * h.last![$1] })
        }
        expected -= Foundation.log(powers[Int(node.label)] / powers.reduce(0, +))
      }
    }
    #expect(abs(trial.run() - expected) < 1e-5 * expected)
  }

  @Test(arguments: options)
  func `draws dropout by tree and node, whichever trees are beside`(_ options: TreeModelOptions) {
    var options = options
    options.dropout = 0.4
    let trial = WindowTrial(options)
    let (first, second) = (Self.trees[2], Self.trees[3])
    let alone = trial.run([first], keys: [40]) + trial.run([second], keys: [90])
    let together = trial.run([second, first], keys: [90, 40])
    #expect(abs(together - alone) < 200 * Double(Real.ulpOfOne) * alone)
    #expect(abs(trial.run([second, first], keys: [91, 40]) - together) > 1e-3)
  }

  @Test(arguments: options)
  func `allocates nothing in a step`(_ options: TreeModelOptions) {
    var options = options
    options.dropout = 0.2
    let trial = WindowTrial(options)
    let keys = Array(repeating: Int32(0), count: Self.trees.count)
    for _ in 0..<2 { trial.run(keys: keys) }
    allocation_counter_start()
    for _ in 0..<4 {
      trial.batch.begin(Self.trees, keys: keys)
      trial.repeated()
    }
    let count = allocation_counter_stop()
    #expect(count == 0, "\(count) allocations")
  }

  @Test func `is refused where data and options do not fit`() {
    let trees = TaskSignature(
      input: .symbols(9), output: .symbols(4), isTree: true)
    let text = TaskSignature(vocabulary: 9)
    let layers = SequenceModelOptions(embedding: 3, layers: [LayerOptions(.linear(3))])
    #expect(layers.incompatibility(with: trees)?.contains("give model.tree") == true)
    #expect(Self.options[0].incompatibility(with: text)?.contains("data.view to nodes") == true)
    for options in Self.options { #expect(options.incompatibility(with: trees) == nil) }
  }

  @Test(arguments: [
    (#""tied": true"#, "tied", "is for layers"),
    (#""recurrent": true"#, "recurrent", "is for layers"),
    (#""embedding": 5"#, "tree", "must be the same"),
    (#""embedding": null"#, "tree", "set embedding"),
    (#""layers": [{"linear": 3}]"#, "tree", "exclude each other"),
    (#""encoder": {"layers": [{"cell": "gru", "hidden": 4}]}"#, "encoder", "would do nothing"),
    (#""context": "both""#, "context", "would do nothing"),
    (#""attention": "additive""#, "attention", "would do nothing"),
    (#""attention_place": "input""#, "attention_place", "would do nothing"),
    (#""length_input": "total""#, "length_input", "would do nothing"),
    (#""longest": 3"#, "longest", "would do nothing"),
    (#""condition": "first_input""#, "condition", "would do nothing"),
    (#""condition_embedding": 3"#, "condition_embedding", "would do nothing"),
  ])
  func `has no keys of layers over time`(_ given: String, _ key: String, _ words: String) throws {
    let tree = #""tree": {"cell": "plain", "hidden": 6}"#
    #expect(try decodeModel(#"{"embedding": 6, \#(tree)}"#) == .tree(Self.options[0]))
    let embedding =
      given.contains("embedding\":") && !given.contains("condition") ? "" : #""embedding": 6, "#
    let refused = refusal(ofModel: "{\(embedding)\(tree), \(given)}")
    #expect(refused?.key == key)
    #expect(refused?.sentence.contains(words) == true)
  }

  #if REAL_IS_DOUBLE
    @Test(arguments: options, [0, 0.3])
    func `has the derivatives that central differences find`(
      _ options: TreeModelOptions, _ dropout: Double
    ) {
      var options = options
      options.dropout = dropout
      let trial = WindowTrial(options)
      for forest in [Self.trees, [Self.trees[0]], Array(Self.trees[1...3])] {
        trial.run(forest)
        for entry in trial.weights.layout.entries {
          let exact = Array(trial.gradient.elements(of: entry))
          var (difference, size) = (0.0, 0.0)
          for k in 0..<entry.count {
            let w = trial.weights.elements(of: entry)[k]
            func loss(_ value: Double) -> Double {
              trial.weights.update { $0.elements(of: entry)[k] = value }
              // As in training, so that dropout is there too.
              let unused = ParameterVector(trial.weights.layout)
              let pass = trial.tape.begin(trial.batch, weights: trial.weights, gradient: unused)
              trial.model.forward(pass)
              return trial.tape.loss.sum
            }
            let step = 1e-5
            let numerical = (loss(w + step) - loss(w - step)) / (2 * step)
            trial.weights.update { $0.elements(of: entry)[k] = w }
            difference += (numerical - exact[k]) * (numerical - exact[k])
            size += max(numerical * numerical, exact[k] * exact[k])
          }
          let isReached = forest.count > 1 || !entry.name.hasPrefix("tree.weight_hh")
          if forest.count == Self.trees.count { #expect(size > 0, "\(entry.name) is not reached") }
          let error = (difference / max(size, 1e-300)).squareRoot()
          #expect(
            error < 1e-6 || (!isReached && size == 0) || size < 1e-18,
            "\(options.cell.name): \(entry.name) is off by \(error)")
        }
      }
    }
  #endif
}
