import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Models with layers above a bidirectional one, of which one answer a sequence is asked or which are
/// encoders.
enum SummaryCases {
  typealias Case = (name: String, options: SequenceModelOptions, interface: TaskSignature)

  private static func both(
    _ kind: LayerOptions.Kind, _ combination: Bidirectional.Combination = .concat,
    residual: Bool = false
  ) -> LayerOptions {
    LayerOptions(kind, residual: residual, bidirectional: combination)
  }
  private static func dense(_ hidden: Int, taps: Int = 1) -> LayerOptions.Kind {
    .recurrent(cell: "dense", Dense.Options(hidden: hidden, taps: taps))
  }
  private static func gru(_ hidden: Int) -> LayerOptions.Kind { `Models of sequences`.gru(hidden) }
  private static func lstm(_ hidden: Int) -> LayerOptions.Kind {
    `Models of sequences`.lstm(hidden)
  }

  /// Each has a bidirectional layer whose summary the layers above are functions of.
  static let stacks: [(name: String, layers: [LayerOptions])] = [
    ("dense", [both(lstm(3)), LayerOptions(dense(5))]),
    ("linear over a sum", [both(gru(4), .sum), LayerOptions(.linear(5))]),
    ("a residual dense layer", [both(gru(2)), LayerOptions(dense(4), residual: true)]),
    ("the last inputs side by side", [both(gru(3)), LayerOptions(dense(5, taps: 2))]),
    ("a residual layer below", [both(gru(4), .sum, residual: true), LayerOptions(.linear(5))]),
    (
      "two layers with dropout",
      [both(lstm(3)), LayerOptions(dense(5), dropout: 0.3), LayerOptions(.linear(4))]
    ),
    (
      "two directions over two, dense above",
      [both(gru(3)), both(lstm(2)), LayerOptions(dense(5))]
    ),
    ("dense in two directions", [both(gru(3)), both(dense(2, taps: 2)), LayerOptions(.linear(5))]),
    (
      "dense between", [both(gru(2)), LayerOptions(dense(5)), both(gru(3)), LayerOptions(dense(4))]
    ),
  ]

  static var answers: [Case] {
    let recurrent = [
      ("recurrent", [both(gru(3)), LayerOptions(lstm(4))]),
      ("recurrent and dense", [both(lstm(3), .sum), LayerOptions(gru(4)), LayerOptions(dense(5))]),
    ]
    return (stacks + recurrent).map { name, layers in
      (
        "one answer, \(name)", SequenceModelOptions(embedding: 4, layers: layers),
        TaskSignature(
          input: .symbols(SequenceTrial.symbols), output: .symbols(6), asksOnce: true)
      )
    }
  }

  static var encoders: [Case] {
    stacks.enumerated().flatMap { index, stack in
      let contexts: [ContextPlace] = index.isMultiple(of: 2) ? [.everyStep] : [.both]
      return contexts.flatMap { context in
        [
          nil, AttentionOptions(.additive), AttentionOptions(.multiplicative, at: .input),
        ].map { attention in
          (
            "encoder, \(stack.name), context \(context.rawValue), "
              + "attention \(attention?.kind.rawValue ?? "none")",
            SequenceModelOptions(
              embedding: 3, layers: [LayerOptions(gru(5))],
              encoder: EncoderOptions(
                embedding: 4, layers: stack.layers, context: context,
                attention: attention)), EncoderCases.interface
          )
        }
      }
    }
  }

  static var all: [Case] { answers + encoders }
}

/// The summary of a sequence is the forward state at its last step beside the backward state at its
/// first, whatever stands above.
@Suite struct `Summaries of both directions` {
  @Test(arguments: SummaryCases.all.indices)
  func `have read the first symbol backwards, whatever layers stand above`(index: Int) throws {
    let (name, options, interface) = SummaryCases.all[index]
    let model = SequenceModel(options, interface: interface, seed: 1)
    let trial = SequenceTrial(model, spread: 1)
    // Forward directions are blind and attention sees nothing, so that what comes first reaches the
    // loss only through the backward state at the first step.
    trial.weights.update { weights in
      let layout = weights.layout
      for entry in layout.entries {
        let isForward = layout.entry(named: entry.name + "_reverse") != nil
        let isContext =
          entry.name.hasSuffix("weight_context")
          || entry.name.contains("weight_ih_attention")
        guard isForward || isContext else { continue }
        for k in 0..<entry.count { weights.elements(of: entry)[k] = 0 }
      }
    }
    let read = try interface.source > 0 ? #require(trial.batch.source) : trial.batch
    let before = trial.run(training: false)
    for s in 0..<read.streams {
      let first = read.inputs.elements()[s]
      read.inputs.elements()[s] = (first + 1) % Int32(SequenceTrial.symbols)
      #expect(trial.run(training: false) != before, "\(name): sequence \(s)")
      read.inputs.elements()[s] = first
    }
    #expect(trial.run(training: false) == before)
  }

  @Test func `are what the layers above read`() {
    let interface = TaskSignature(
      input: .symbols(SequenceTrial.symbols), output: .symbols(6), asksOnce: true)
    let below = LayerOptions(`Models of sequences`.gru(3), bidirectional: .concat)
    let above = LayerOptions(.linear(5))
    func model(_ layers: [LayerOptions]) -> SequenceModel {
      SequenceModel(
        SequenceModelOptions(embedding: 4, layers: layers, initializer: .uniform(0.7)),
        interface: interface,
        seed: 1)
    }
    let (alone, long) = (SequenceTrial(model([below])), SequenceTrial(model([below, above])))
    for entry in alone.weights.layout.entries where entry.name.hasPrefix("rnn.") {
      let name = "layers.0." + entry.name.dropFirst("rnn.".count)
      let twin = long.weights.layout.entry(named: String(name))!
      long.weights.update { weights in
        for k in 0..<entry.count {
          weights.elements(of: twin)[k] = alone.weights.elements(of: entry)[k]
        }
      }
    }
    let table = alone.weights.layout.entry(named: "encoder.weight")!
    long.weights.update { weights in
      for k in 0..<table.count {
        weights.elements(of: weights.layout.entry(named: table.name)!)[k] =
          alone.weights.elements(of: table)[k]
      }
    }
    alone.run(training: false)
    long.run(training: false)
    let lower = output(alone)
    let upper = output(long)
    let layout = long.weights.layout
    let weight = long.weights.elements(of: layout.entry(named: "layers.1.weight")!)
    let bias = long.weights.elements(of: layout.entry(named: "layers.1.bias")!)
    for (s, length) in SequenceTrial.lengths.enumerated() {
      let row = (length - 1) * SequenceTrial.streams + s
      for i in 0..<5 {
        let sum = (0..<6).reduce(Double(bias[i])) {
          $0 + Double(weight[i * 6 + $1]) * Double(lower[row][$1])
        }
        #expect(abs(Double(upper[row][i]) - sum) < 1e-5, "sequence \(s), unit \(i)")
      }
    }
  }

  private func output(_ trial: SequenceTrial) -> Matrix {
    let model = trial.model as! SequenceModel
    return trial.tape.pass(over: trial.batch, weights: trial.weights)[model.top]
  }
}
