internal import FoundationEssentials
internal import LinearAlgebra
internal import Sequences

/// Sequences from files as bytes, so that one rank parses the files and sends the result to the
/// others.
///
/// The bytes are only read by other ranks of the same program and are never written to a file. The
/// receiving sets compute their hashes again, so that ranks can check that they have the same data.
extension Dataset {
  /// The data as bytes; nil if it is not sequences from files.
  public var packed: [UInt8]? {
    let parts = [train, valid, test]
    guard parts.allSatisfy({ $0?.examples is (any PackedExamples)? }), train.examples != nil else {
      return nil
    }
    guard let description = try? JSONEncoder().encode(interface) else {
      preconditionFailure("names and numbers cannot fail to be encoded")
    }
    var packing = Packing()
    packing.add(description)
    packing.add([vocabulary, outputs, source].compactMap(\.self)) { $0.pack(into: &$1) }
    packing.add([conditions].compactMap(\.self)) { $0.pack(into: &$1) }
    let sequences = parts.compactMap { $0?.examples as? ListedSequences }
    packing.reserve(sequences.reduce(1024) { $0 + $1.packedSize })
    for part in parts {
      let set = part?.examples as? any PackedExamples
      packing.add(set.map { type(of: $0).kind.rawValue } ?? 0)
      if let set {
        packing.add(set.name.utf8)
        set.pack(into: &packing)
      }
    }
    return packing.bytes
  }

  /// Restores data that another rank has packed.
  /// - Throws: `DataError` if making the set throws it.
  public init(unpacking bytes: [UInt8]) throws(DataError) {
    var packed = Unpacking(bytes)
    guard
      let interface = try? JSONDecoder().decode(
        TaskSignature.self, from: Data(packed.text()))
    else { preconditionFailure("an interface that another rank has encoded") }
    let vocabularies = packed.list { Vocabulary(unpacking: &$0) }
    let conditions = packed.list { ConditionFields(unpacking: &$0) }
    var parts: [Split?] = []
    for _ in 0..<3 {
      guard let kind = PackedKind(rawValue: packed.number()) else {
        parts.append(nil)
        continue
      }
      let name = String(decoding: packed.text(), as: UTF8.self)
      switch kind {
      case .sequences:
        parts.append(.examples(ListedSequences(unpacking: &packed, name: name)))
      case .trees: parts.append(.examples(try ListedTrees(unpacking: &packed, name: name)))
      case .pieces: parts.append(.examples(PianoExamples(unpacking: &packed, name: name)))
      }
    }
    self.init(
      vocabulary: vocabularies[0], outputs: vocabularies[1],
      source: vocabularies.count > 2 ? vocabularies[2] : nil,
      conditions: conditions.first, interface: interface,
      train: parts[0]!, valid: parts[1], test: parts[2])
  }
}

/// The kinds of sets that can be packed; 0 stands for no set.
private enum PackedKind: Int {
  case sequences = 1
  case trees, pieces
}

private protocol PackedExamples: ExampleSet {
  static var kind: PackedKind { get }
  func pack(into packing: inout Packing)
}

extension Vocabulary {
  fileprivate func pack(into packing: inout Packing) { packing.add(json) }

  fileprivate init(unpacking packed: inout Unpacking) {
    guard let made = try? JSONDecoder().decode(Vocabulary.self, from: Data(packed.text())) else {
      preconditionFailure("a vocabulary that another rank has packed")
    }
    self = made
  }
}

extension ConditionFields {
  fileprivate func pack(into packing: inout Packing) {
    packing.add(classes) { field, packing in
      packing.add(field.name.utf8)
      field.symbols.pack(into: &packing)
    }
    packing.add(numbers)
  }

  fileprivate init(unpacking packed: inout Unpacking) {
    let classes = packed.list { packed in
      let name = String(decoding: packed.text(), as: UTF8.self)
      return Class(name: name, symbols: Vocabulary(unpacking: &packed))
    }
    self.init(classes: classes, numbers: packed.number())
  }
}

extension Example {
  /// Packs every property of an example; a test compares.
  fileprivate func pack(into packing: inout Packing) {
    packing.add(inputs)
    packing.add(frames)
    packing.add(targets)
    packing.add(values)
    packing.add(condition)
    packing.add(classes)
    packing.add(source)
    packing.add(sourceFrames.width)
    packing.add(sourceFrames.numbers)
  }

  /// The number of bytes that `pack(into:)` adds.
  fileprivate var packedSize: Int {
    let symbols = [inputs, targets, classes, source].reduce(0) { $0 + $1.count }
    let numbers = [frames, values, condition, sourceFrames.numbers].reduce(0) { $0 + $1.count }
    return 9 * MemoryLayout<Int>.size + symbols * MemoryLayout<Int32>.size + numbers
      * MemoryLayout<Real>.size
  }

  fileprivate init(unpacking packed: inout Unpacking) {
    inputs = packed.symbols()
    frames = packed.numbers()
    targets = packed.symbols()
    values = packed.numbers()
    condition = packed.numbers()
    classes = packed.symbols()
    source = packed.symbols()
    let width = packed.number()
    sourceFrames = Frames(width: width, numbers: packed.numbers())
  }
}

extension ListedSequences: PackedExamples {
  fileprivate static var kind: PackedKind { .sequences }

  /// About the number of bytes of the packed sequences, without trees.
  fileprivate var packedSize: Int {
    (0..<count).reduce(name.utf8.count + 128) { $0 + example($1, epoch: 1).packedSize }
  }

  fileprivate func pack(into packing: inout Packing) {
    let widths = shape.widths
    for width in [widths.features, widths.values, widths.condition, widths.classes] {
      packing.add(width)
    }
    packing.add(shape.hasSource)
    packing.add(shape.sourceWidth)
    packing.add(0..<count) { example($0, epoch: 1).pack(into: &$1) }
    packing.add(trees) { tree, packing in
      packing.add(tree.nodes) { node, packing in
        packing.add(Int(node.label))
        packing.add(node.word.map { Int($0) } ?? -1)
        packing.add(node.words.lowerBound)
        packing.add(node.words.upperBound)
        packing.add(node.children) { $1.add($0) }
      }
    }
  }

  fileprivate init(unpacking packed: inout Unpacking, name: String) {
    var shape = ExampleShape()
    shape.widths.features = packed.number()
    shape.widths.values = packed.number()
    shape.widths.condition = packed.number()
    shape.widths.classes = packed.number()
    shape.hasSource = packed.flag()
    shape.sourceWidth = packed.number()
    let examples = packed.list { Example(unpacking: &$0) }
    let trees = packed.list { packed in
      var tree = Tree()
      tree.nodes = packed.list { packed in
        let (label, word) = (packed.number(), packed.number())
        let (first, last) = (packed.number(), packed.number())
        return Tree.Node(
          label: Int32(label), word: word < 0 ? nil : Int32(word),
          children: packed.list { $0.number() }, words: first..<last)
      }
      return tree
    }
    self.init(examples, name: name, shape: shape, trees: trees)
  }
}

extension ListedTrees: PackedExamples {
  fileprivate static var kind: PackedKind { .trees }

  fileprivate func pack(into packing: inout Packing) {
    packing.add(trees) { tree, packing in
      packing.add(tree.nodes.flatMap { [$0.word, $0.label, $0.left, $0.right] })
    }
  }

  fileprivate init(unpacking packed: inout Unpacking, name: String) throws(DataError) {
    let trees = packed.list { packed in
      let numbers = packed.symbols()
      return BinaryTree(
        stride(from: 0, to: numbers.count, by: 4).map { k in
          BinaryTree.Node(
            word: numbers[k], label: numbers[k + 1], left: numbers[k + 2], right: numbers[k + 3])
        })
    }
    try self.init(trees, name: name)
  }
}

extension PianoExamples: PackedExamples {
  fileprivate static var kind: PackedKind { .pieces }

  fileprivate func pack(into packing: inout Packing) {
    packing.add(pieces) { piece, packing in
      packing.add(piece) { chord, packing in
        packing.add(chord[0])
        packing.add(chord[1])
      }
    }
  }

  fileprivate init(unpacking packed: inout Unpacking, name: String) {
    self.init(
      packed.list { packed in packed.list { packed in Chord(packed.word(), packed.word()) } },
      name: name)
  }
}
