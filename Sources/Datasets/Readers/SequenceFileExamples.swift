internal import LinearAlgebra
internal import Sequences

extension SequenceFiles {
  /// Returns the sequences of a part as examples, with the final numbers of their symbols.
  /// - Throws: `DataError` if a sequence has a label that no training sequence has.
  func examples(
    _ part: Range<Int>, name: String, measured: Bool,
    _ vocabularies: (inputs: Vocabulary, labels: Vocabulary, source: Vocabulary?),
    _ conditions: ConditionFields?
  ) throws(DataError) -> any ExampleSet {
    if reader.format == .piano { return PianoExamples(Array(pieces[part]), name: name) }
    let numbers = Numbers(
      inputs: cutter.numbers(records.inputs, in: vocabularies.inputs),
      labels: (0..<records.labels.count).map { vocabularies.labels.id(of: records.labels[$0]) },
      source: vocabularies.source.map { sourceCutter.numbers(records.sources, in: $0) } ?? [],
      vocabulary: vocabularies.inputs, sourceVocabulary: vocabularies.source)
    var examples: [Example] = []
    var trees: [Tree] = []
    let view = measured ? reader.testView : reader.view
    for record in records.records[part] {
      if let tree = record.tree {
        trees.append(try renumber(tree, numbers, record))
        if view.isTree { continue }
        let nodes = trees[trees.count - 1].nodes
        let words = trees[trees.count - 1].words
        for node in view == .root ? nodes.suffix(1) : nodes[...] {
          var example = Example()
          example.inputs = Array(words[node.words])
          example.ask(once: Int(node.label), steps: node.words.count)
          examples.append(example)
        }
      } else {
        var example = try example(record, numbers)
        if let conditions { try know(record, conditions, in: &example) }
        examples.append(example)
      }
    }
    if reader.format == .trees, view.isTree {
      return try ListedTrees(trees, name: name, isForRoots: view == .tree)
    }
    guard reader.format != .csv || examples.isEmpty || examples.contains(where: \.asks) else {
      throw DataError("\(name) has no target in any row: write targets in at least one")
    }
    return ListedSequences(
      examples, name: name,
      shape: ExampleShape(
        widths: Batch.Widths(
          features: reader.columns?.inputs.count ?? 0, values: reader.columns?.valueCount ?? 0,
          condition: conditions?.numbers ?? 0, classes: conditions?.classes.count ?? 0),
        hasSource: reader.format == .pairs, sourceWidth: sourceWidth),
      trees: trees)
  }

  /// The numbers in the vocabularies of the symbols in the tables.
  private struct Numbers {
    let inputs, labels, source: [Int32?]
    let vocabulary: Vocabulary
    let sourceVocabulary: Vocabulary?
  }

  private func label(
    _ label: Int32, _ numbers: Numbers, _ record: Records.Record
  ) throws(DataError) -> Int32 {
    guard let number = numbers.labels[Int(label)] else {
      let name = String(decoding: records.labels[Int(label)], as: UTF8.self)
      throw DataError(
        "\(records.place(record)) has the label '\(name)', which no training sequence has: remove "
          + "the line, or add such a training sequence")
    }
    return number
  }

  /// Sets the condition of an example.
  private func know(
    _ record: Records.Record, _ conditions: ConditionFields, in example: inout Example
  ) throws(DataError) {
    for (number, (known, field)) in zip(record.known.classes, conditions.classes).enumerated() {
      let name = records.classes[number][Int(known)]
      guard let found = field.symbols.id(of: name) else {
        throw DataError(
          "\(records.place(record)) has '\(String(decoding: name, as: UTF8.self))' for "
            + "\(field.name), which no training sequence has; there are \(field.names): remove "
            + "the sequence, or add such a training sequence")
      }
      example.classes.append(found)
    }
    guard record.known.numbers.count == conditions.numbers else {
      throw DataError(
        "\(records.place(record)) has \(record.known.numbers.count) numbers in its condition, and "
          + "others have \(conditions.numbers): give as many")
    }
    example.condition = record.known.numbers.map { Real($0) }
  }

  private func renumber(
    _ tree: Tree, _ numbers: Numbers, _ record: Records.Record
  ) throws(DataError) -> Tree {
    var tree = tree
    for i in tree.nodes.indices {
      tree.nodes[i].label = try label(tree.nodes[i].label, numbers, record)
      if let word = tree.nodes[i].word { tree.nodes[i].word = numbers.inputs[Int(word)]! }
    }
    return tree
  }

  private func example(
    _ record: Records.Record, _ numbers: Numbers
  ) throws(DataError) -> Example {
    let symbols = record.inputs.map { numbers.inputs[Int($0)]! }
    var example = Example()
    switch reader.format {
    case .lines, .pairs:
      example.inputs = [numbers.vocabulary.begin!] + symbols
      example.targets = symbols + [numbers.vocabulary.end!]
      example.sourceFrames = record.sourceFrames
      if let vocabulary = numbers.sourceVocabulary {
        example.source = record.source.map { numbers.source[Int($0)]! } + [vocabulary.end!]
      }
    case .tags:
      example.inputs = symbols
      for tag in record.labels { example.targets.append(try label(tag, numbers, record)) }
    case .labels:
      example.inputs = symbols
      example.ask(
        once: Int(try label(record.labels[0], numbers, record)), steps: symbols.count)
    case .csv: try readRows(record, numbers, into: &example)
    case .trees, .piano: preconditionFailure("trees and pieces have examples of their own")
    }
    return example
  }

  /// Fills in the rows of a table.
  private func readRows(
    _ record: Records.Record, _ numbers: Numbers, into example: inout Example
  ) throws(DataError) {
    let width = reader.columns!.inputs.count
    // Without inputs, the targets are numbers.
    let steps = width == 0 ? record.asks.count : record.frames.count / width
    example.frames = record.frames.map { Real($0) }
    switch reader.columns!.answer {
    case .numbers:
      example.values = record.values.map { Real($0) }
      example.targets = record.asks.map { $0 ? 0 : Batch.noTarget }
    case .next:
      example.values = Array(example.frames.dropFirst(width))
      example.frames.removeLast(width)
      example.targets = Array(repeating: 0, count: steps - 1)
    case .label:
      example.ask(once: Int(try label(record.labels[0], numbers, record)), steps: steps)
    case .tag:
      for tag in record.labels {
        example.targets.append(
          tag == Batch.noTarget ? tag : try label(tag, numbers, record))
      }
    }
  }
}
