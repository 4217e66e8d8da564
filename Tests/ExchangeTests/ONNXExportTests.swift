import Checkpointing
import Exchange
import Formats
import Foundation
import LinearAlgebra
import ProtocolBuffers
import Recurrence
import Sequences
import TestSupport
import Testing

@Suite struct `Export to ONNX` {
  static let models = [
    "{embedding: 4, layers: [{cell: lstm, hidden: 5, dropout: 0.2}, {cell: lstm, hidden: 5}]}",
    "{embedding: 4, layers: [{cell: lstm, hidden: 5, biases: 1}, {cell: gru, hidden: 6}]}",
    "{embedding: 4, layers: [{cell: lstm, hidden: 5, peephole: gers}]}",
    "{embedding: 4, layers: [{cell: lstm, hidden: 5, coupled: true}]}",
    "{embedding: 4, layers: [{cell: lstm, hidden: 5, coupled: true, peephole: gers}]}",
    "{embedding: 4, layers: [{cell: gru, hidden: 5, biases: 1}], output_bias: false}",
    "{embedding: 4, layers: [{cell: gru-reset-before, hidden: 5}]}",
    "{embedding: 4, layers: [{cell: gru-reset-before, hidden: 5, biases: 1}], shortcut: true}",
    "{layers: [{cell: elman, hidden: 6, nonlinearity: relu}, {cell: elman, hidden: 5}]}",
    "{layers: [{cell: elman, hidden: 6, nonlinearity: identity}]}",
    "{embedding: 5, layers: [{cell: elman, hidden: 5, nonlinearity: sigmoid, residual: true}]}",
    """
    {embedding: 6, embedding_scale: sqrt, layers: [{cell: dense, hidden: 5}, \
    {cell: dense, hidden: 5, nonlinearity: identity}, {cell: gru, hidden: 7}, {linear: 6}], \
    tied: true, output: {soft_cap: 3}}
    """,
    "{embedding: 4, embedding_norm: rmsnorm, layers: [{cell: gru, hidden: 5}], final_norm: rmsnorm}",
    """
    {embedding: 4, embedding_norm: {kind: layernorm, bias: false}, \
    layers: [{cell: gru, hidden: 5}], final_norm: layernorm}
    """,
  ]
  private static let text: [Int32] = [1, 4, 2, 2, 7, 0, 3, 5, 1, 6, 4, 2]

  private func trained(
    _ yaml: String, _ body: (SmallRun, Checkpoint, _ path: String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(
        in: folder, model: yaml, training: "schedule: {learning_rate: 0.3}", steps: 9)
      try body(run, try run.train(), folder + "/exported.onnx")
    }
  }

  /// Returns the model's own outputs at each step of streams of symbols, t · streams + s.
  private func outputs(
    _ model: SequenceModel, _ weights: ParameterVector, _ streams: [[Int32]]
  ) -> [[Double]] {
    let steps = streams.map(\.count).max()!
    let tape = Tape(model.plan, steps: steps, streams: streams.count, derivatives: false)
    let batch = Batch(rows: steps * streams.count)
    batch.begin(steps: steps, streams: streams.count)
    for (s, symbols) in streams.enumerated() {
      batch.lengths.elements()[s] = Int32(symbols.count)
      for t in 0..<steps {
        batch.inputs.elements()[t * streams.count + s] = t < symbols.count ? symbols[t] : 0
      }
    }
    let pass = tape.begin(batch, weights: weights)
    model.read(pass)
    return (0..<steps).flatMap { t -> [[Double]] in
      let rows = model.outputs(at: t, pass)
      return streams.indices.map { Array(rows[$0].elements).map(Double.init) }
    }
  }

  /// Runs a graph of a language model over a text in parts, with the states of each part for the next.
  private func logits(_ graph: ONNXGraphProto, _ parts: [ArraySlice<Int32>]) -> [[Double]] {
    let run = ONNXInterpreter(graph: graph)
    var states: [String: ONNXArray] = [:]
    for input in graph.input.dropFirst() {
      let width = Int(input.type.tensorType.shape.dim[2].dimValue)
      states[input.name] = ONNXArray([1, 1, width], [Double](repeating: 0, count: width))
    }
    return parts.flatMap { part -> [[Double]] in
      var inputs = states
      inputs["input"] = ONNXArray([part.count, 1], part.map(Double.init))
      let found = run(inputs)
      for name in states.keys { states[name] = found[name.replacing("0_", with: "n_")]! }
      let y = found["logits"]!
      return (0..<part.count).map { t in (0..<y.shape[2]).map { y[[t, 0, $0]] } }
    }
  }

  private func difference(_ a: [[Double]], _ b: [[Double]]) -> Double {
    precondition(a.map(\.count) == b.map(\.count))
    return zip(a.joined(), b.joined()).map { abs($0 - $1) }.max()!
  }

  @Test(arguments: models)
  func `the graph in plain loops is the model, in one call and in two`(_ model: String) throws {
    try trained(model) { run, checkpoint, path in
      try ONNXExport(checkpoint).save(to: path)
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
      let graph = try ONNXModelProto(serialized: bytes).graph
      let (any, weights) = try checkpoint.anyModel()
      let expected = outputs(try #require(any as? SequenceModel), weights, [Self.text])
      let spread = expected.joined().max()! - expected.joined().min()!
      #expect(spread > 0.5)
      #expect(difference(logits(graph, [Self.text[...]]), expected) < 2e-5)
      #expect(difference(logits(graph, [Self.text[..<5], Self.text[5...]]), expected) < 2e-5)
      // Without the states of the first part, the second one is another.
      let alone = logits(graph, [Self.text[5...]])
      #expect(difference(alone, Array(expected[5...])) > 1e-3)
    }
  }

  @Test func `a graph with another order of gates or the other reset is another`() throws {
    try trained(Self.models[5]) { run, checkpoint, path in
      let graph = try ONNXExport(checkpoint).message.graph
      let expected = logits(graph, [Self.text[...]])
      var wrong = graph
      let node = wrong.node.firstIndex { $0.opType == "GRU" }!
      let place = wrong.node[node].attribute.firstIndex { $0.name == "linear_before_reset" }!
      wrong.node[node].attribute[place].i = 0
      #expect(difference(logits(wrong, [Self.text[...]]), expected) > 1e-3)
      wrong = graph
      let w = wrong.initializer.firstIndex { $0.name == "layers.0.W" }!
      let numbers = wrong.initializer[w].floatData
      wrong.initializer[w].floatData = Array(numbers[20..<40] + numbers[..<20] + numbers[40...])
      #expect(difference(logits(wrong, [Self.text[...]]), expected) > 1e-3)
    }
  }

  @Test func `gates are in the order of ONNX, for weights that are known`() throws {
    func stacked(_ cell: String, _ name: String) -> [Float] {
      let options = try! JSONDecoder().decode(LayerOptions.self, from: Data(cell.utf8))
      let model = SequenceModel(
        SequenceModelOptions(embedding: 1, layers: [options]), vocabulary: 3, seed: 1)
      let weights = ParameterVector(ParameterLayout(model.plan))
      for entry in weights.layout.entries {
        for (i, place) in weights.elements(of: entry).indices.enumerated() {
          weights.elements(of: entry)[place] = Float(i) + (entry.name.contains("hn") ? 100 : 0)
        }
      }
      let graph = ONNXExport.graph(of: model, weights)
      return graph.initializer.first { $0.name == name }!.floatData
    }
    // One unit, so that a gate is one number.
    #expect(stacked(#"{"cell": "lstm", "hidden": 1}"#, "layers.0.W") == [0, 3, 1, 2])
    #expect(stacked(#"{"cell": "lstm", "hidden": 1}"#, "layers.0.B") == [0, 3, 1, 2, 0, 3, 1, 2])
    let coupled = #"{"cell": "lstm", "hidden": 1, "coupled": true, "peephole": "gers"}"#
    #expect(stacked(coupled, "layers.0.R") == [0, 2, 0, 1])
    #expect(stacked(coupled, "layers.0.P") == [0, 1, 0])
    #expect(
      stacked(#"{"cell": "lstm", "hidden": 1, "peephole": "gers"}"#, "layers.0.P") == [0, 2, 1])
    #expect(stacked(#"{"cell": "gru", "hidden": 1}"#, "layers.0.W") == [1, 0, 2])
    #expect(
      stacked(#"{"cell": "gru", "hidden": 1, "biases": 1}"#, "layers.0.B") == [1, 0, 2, 0, 0, 0])
    #expect(stacked(#"{"cell": "gru-reset-before", "hidden": 1}"#, "layers.0.R") == [1, 0, 100])
  }

  /// Models of whole sequences, and the index of a layer whose last output is a summary.
  static let sequences = [
    #"[{"cell": "lstm", "hidden": 3, "bidirectional": "concat"}, {"linear": 4}]"#,
    #"[{"cell": "gru", "hidden": 4, "bidirectional": "sum", "residual": true}]"#,
    #"""
    [{"cell": "elman", "hidden": 2, "nonlinearity": "relu", "bidirectional": "concat"}, \#
    {"cell": "gru-reset-before", "hidden": 4, "bidirectional": "concat"}, \#
    {"cell": "dense", "hidden": 8, "nonlinearity": "relu", "residual": true}]
    """#,
    #"[{"cell": "lstm", "hidden": 4, "residual": true}, {"linear": 3}]"#,
  ]

  @Test(arguments: sequences, [true, false])
  func `sequences of several lengths are read whole, as the model reads them`(
    _ layers: String, _ asksOnce: Bool
  ) throws {
    let layers = try JSONDecoder().decode([LayerOptions].self, from: Data(layers.utf8))
    if !asksOnce, layers.allSatisfy({ $0.bidirectional == nil }) { return }
    let model = SequenceModel(
      SequenceModelOptions(embedding: 4, layers: layers, shortcut: true),
      interface: TaskSignature(input: .symbols(8), output: .symbols(3), asksOnce: asksOnce),
      seed: 3)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.initialize(seed: 5)
    let streams: [[Int32]] = [[1, 7, 2, 3, 5], [4, 6, 0], [2]]
    let graph = ONNXExport.graph(of: model, weights)
    #expect(graph.input.map(\.name) == ["input", "lengths"])
    #expect(graph.output.map(\.name) == ["logits"])
    let expected = outputs(model, weights, streams)
    let found = ONNXInterpreter(graph: graph)([
      "input": ONNXArray([5, 3]) { t in
        let symbols = streams[t[1]]
        return t[0] < symbols.count ? Double(symbols[t[0]]) : 0
      },
      "lengths": ONNXArray([3], streams.map { Double($0.count) }),
    ])["logits"]!
    #expect(found.shape == (asksOnce ? [3, 3] : [5, 3, 3]))
    for (s, symbols) in streams.enumerated() {
      for t in asksOnce ? symbols.count - 1..<symbols.count : 0..<symbols.count {
        for j in 0..<3 {
          let own = expected[t * 3 + s][j]
          #expect(abs(found[asksOnce ? [s, j] : [t, s, j]] - own) < 1e-5)
        }
      }
    }
  }

  @Test func `a file has names, shapes and facts that a program can read`() throws {
    try trained(Self.models[1]) { run, checkpoint, path in
      let export = try ONNXExport(checkpoint)
      try export.save(to: path)
      let message = try ONNXModelProto(serialized: [UInt8](Data(contentsOf: URL(filePath: path))))
      #expect(message.irVersion == 8 && message.opsetImport.map(\.version) == [17])
      #expect(message.producerName == "Unroll")
      func shapes(_ values: [ONNXValueInfoProto]) -> [String] {
        values.map { value in
          let dimensions = value.type.tensorType.shape.dim.map {
            $0.dimParam.isEmpty ? String($0.dimValue) : $0.dimParam
          }
          return "\(value.name) \(dimensions.joined(separator: " "))"
        }
      }
      #expect(
        shapes(message.graph.input) == [
          "input time batch", "h0_0 1 batch 5", "c0_0 1 batch 5", "h0_1 1 batch 6",
        ])
      #expect(
        shapes(message.graph.output) == [
          "hn_0 1 batch 5", "cn_0 1 batch 5", "hn_1 1 batch 6", "logits time batch 9",
        ])
      #expect(message.graph.input[0].type.tensorType.elemType == 7)
      let facts = Dictionary(
        uniqueKeysWithValues: message.metadataProps.map { ($0.key, $0.value) })
      #expect(facts["step"] == "9" && facts["weights"] == "as trained")
      #expect(facts["software"] == checkpoint.state.software)
      #expect(facts["model"]?.contains(#""cell":"gru""#) == true)
      let saved = try export.saveVocabularies(beside: path)
      #expect(saved.map(\.file) == [run.home + "/exported.vocabulary.json"])
      #expect(saved.map(\.symbols) == [9])
      // A value is computed before it is read, and once.
      var known = Set(message.graph.input.map(\.name) + message.graph.initializer.map(\.name))
      for node in message.graph.node {
        #expect(node.input.allSatisfy { $0.isEmpty || known.contains($0) })
        for name in node.output where !name.isEmpty { #expect(known.insert(name).inserted) }
      }
    }
  }

  @Test func `a tied matrix is in the file once`() throws {
    try trained(Self.models[11]) { run, checkpoint, path in
      let names = try ONNXExport(checkpoint).message.graph.initializer.map(\.name)
      #expect(names.contains("encoder.weight") && !names.contains("decoder.weight"))
      #expect(Set(names).count == names.count)
    }
  }

  @Test(
    arguments: [
      ("{cell: lstm, hidden: 5, peephole: previous}", "layer 1 has previous peepholes"),
      ("{cell: lstm, hidden: 5, layer_norm: true}", "layer 1 has layer normalisation"),
      ("{cell: lstm, hidden: 5, projection: 3}", "layer 1 has a projection"),
      ("{cell: leaky, hidden: 5, alpha: 0.9}", "layer 1 is a leaky"),
      ("{cell: dense, hidden: 5, taps: 3}", "layer 1 has taps"),
      ("{cell: min-gru, hidden: 5}", "layer 1 is a min-gru"),
      ("{block: {mixer: {cell: lstm, hidden: 5}}}", "layer 1 is a block"),
      ("{conv: 3}", "layer 1 is a conv"), ("{token_shift: true}", "layer 1 is a token_shift"),
      ("{cell: gru, hidden: 5, zoneout: 0.1}", "layer 1 has zoneout"),
      ("{cell: gru, hidden: 5, feedback: output}", "layer 1 feeds back its output"),
      ("{cell: gru, hidden: 5, initial_state: learnt}", "layer 1 has an initial state (learnt)"),
    ])
  func `what ONNX lacks is refused by the name of the layer`(
    _ layer: String, _ reason: String
  ) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(
        in: folder, model: "{embedding: 4, layers: [{cell: gru, hidden: 5}, \(layer)]}", steps: 1)
      let checkpoint = try run.train()
      let error = #expect(throws: FileError.self) { try ONNXExport(checkpoint) }
      #expect(error?.exitCode == 65)
      #expect(error?.description.contains("cannot be exported to ONNX, because \(reason)") == true)
    }
  }
}
