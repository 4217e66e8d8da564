import LinearAlgebra
import NumericalTestSupport
import Optimization
import Recurrence
import Testing

@Suite struct `Parameter groups` {
  static let layout = ParameterLayout(
    SequenceModel(
      SequenceModelOptions(
        embedding: 5, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 7)))]),
      vocabulary: 11, seed: 1
    ).plan)

  @Test func `every parameter has a kind`() {
    let kinds = Dictionary(uniqueKeysWithValues: Self.layout.entries.map { ($0.name, $0.kind) })
    #expect(
      kinds == [
        "encoder.weight": .embedding, "rnn.weight_ih_l0": .matrix, "rnn.weight_hh_l0": .recurrent,
        "rnn.bias_ih_l0": .vector, "rnn.bias_hh_l0": .vector, "decoder.weight": .output,
        "decoder.bias": .vector,
      ])
    let oneHot = ParameterLayout(
      SequenceModel(
        SequenceModelOptions(
          embedding: nil,
          layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 7)))]),
        vocabulary: 11, seed: 1
      ).plan)
    #expect(oneHot.entry(named: "rnn.weight_ih_l0")?.kind == .embedding)
    #expect(oneHot.entry(named: "rnn.weight_ih_l0")?.gates == 4)
  }

  @Test func `the first group that matches gives rate and weight decay`() throws {
    let groups = try decode(
      [ParameterGroup].self,
      #"""
      [{"match": "*.bias_hh*", "rate": 3}, {"kind": "vector", "rate": 0.5, "weight_decay": 0},
       {"match": "rnn.weight_?h_l0", "kind": "recurrent", "weight_decay": 0.25}]
      """#)
    let layout = Self.layout.with(groups)
    let found = Dictionary(
      uniqueKeysWithValues: layout.entries.map {
        ($0.name, "\($0.rateFactor) \($0.weightDecay ?? -1)")
      })
    #expect(
      found == [
        "encoder.weight": "1.0 -1.0", "rnn.weight_ih_l0": "1.0 -1.0",
        "rnn.weight_hh_l0": "1.0 0.25", "rnn.bias_ih_l0": "0.5 0.0", "rnn.bias_hh_l0": "3.0 -1.0",
        "decoder.weight": "1.0 -1.0", "decoder.bias": "0.5 0.0",
      ])
    // The rules take them up: a weight shrinks by its own decay alone where its gradient is zero.
    let optimizer = try decode(
      OptimizerConfiguration.self, #"{"rule": "adamw", "weight_decay": 0.5}"#
    ).makeOptimizer(for: layout)
    let weights = ParameterVector(layout), gradient = ParameterVector(layout)
    for j in 0..<layout.count { weights.buffer.elements()[j] = 1 }
    optimizer.update(weights, gradient: gradient, rate: 0.1, scale: 1)
    for (name, decay) in [
      ("encoder.weight", 0.5), ("rnn.weight_hh_l0", 0.25), ("rnn.bias_ih_l0", 0),
      ("rnn.bias_hh_l0", 1.5),
    ] {
      #expect(
        abs(weights.elements(of: layout.entry(named: name)!)[0] - Real(1 - 0.1 * decay)) < 1e-6,
        "\(name)")
    }
  }

  @Test(arguments: [
    (#"{"match": "*.bias"}"#, ": a group does nothing; give it rate or weight_decay"),
    (#"{"rate": 2}"#, ": a group is of all parameters; give it match or kind"),
    (
      #"{"kind": "bias", "rate": 2}"#,
      "kind: no kind of parameter is called bias; choose one of embedding, matrix, output, "
        + "recurrent, vector"
    ),
    (
      #"{"match": "*", "rate": 0}"#,
      "rate: rate is 0.0; write a finite number above 0: frozen, embedding_rate and output_rate "
        + "freeze parameters"
    ),
  ])
  func `a group that says nothing is an error`(_ json: String, _ sentence: String) {
    #expect(complaint(ParameterGroup.self, json) == sentence)
  }
}
