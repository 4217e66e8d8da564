import Recurrence
import Sequences

/// Ways to say where a sequence ends, over every kind of outputs.
enum EndCases {
  private static func gru(_ hidden: Int) -> LayerOptions {
    LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: hidden)))
  }
  private static func lstm(_ hidden: Int) -> LayerOptions {
    LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: hidden)))
  }
  private static let symbols = TaskSignature.Input.symbols(SequenceTrial.symbols)
  private static let frames = TaskSignature.Input.frames(SequenceTrial.frame)
  /// Longer than any sequence of a trial.
  private static let longest = 8

  static let all: [(name: String, options: SequenceModelOptions, interface: TaskSignature)] = [
    (
      "halting after symbols",
      SequenceModelOptions(embedding: 3, layers: [gru(5), lstm(4)], end: .halt),
      TaskSignature(
        input: symbols, output: .symbols(7),
        ends: TaskSignature.Ends(symbol: 2, longest: longest))
    ),
    (
      "halting after symbols of a tied embedding",
      SequenceModelOptions(
        embedding: 5, layers: [gru(5)], tied: true, output: OutputOptions(bias: .none), end: .halt),
      TaskSignature(
        input: symbols, output: .symbols(7),
        ends: TaskSignature.Ends(symbol: 2, longest: longest))
    ),
    (
      "halting after numbers", SequenceModelOptions(embedding: nil, layers: [lstm(5)], end: .halt),
      TaskSignature(
        input: frames, output: .numbers(SequenceTrial.frame),
        ends: TaskSignature.Ends(longest: longest))
    ),
    (
      "halting after labels",
      SequenceModelOptions(embedding: nil, layers: [LayerOptions(.linear(3)), gru(5)], end: .halt),
      TaskSignature(
        input: frames, output: .labels(SequenceTrial.frame),
        ends: TaskSignature.Ends(longest: longest))
    ),
    (
      "halting with a source",
      SequenceModelOptions(
        embedding: 3, layers: [gru(5)],
        encoder: EncoderOptions(embedding: 2, layers: [lstm(3)], context: .both), end: .halt),
      TaskSignature(
        input: symbols, output: .symbols(7), source: 8,
        ends: TaskSignature.Ends(symbol: 2, longest: longest))
    ),
    (
      "a length of symbols, of which nothing is known",
      SequenceModelOptions(embedding: 3, layers: [lstm(5), gru(4)], end: .length()),
      TaskSignature(
        input: symbols, output: .symbols(7),
        ends: TaskSignature.Ends(symbol: 2, longest: longest))
    ),
    (
      "a length of numbers, told at every step",
      SequenceModelOptions(embedding: nil, layers: [gru(5)], end: .length(input: .total)),
      TaskSignature(
        input: frames, output: .numbers(SequenceTrial.frame),
        ends: TaskSignature.Ends(longest: longest))
    ),
    (
      "a length of labels under a condition",
      SequenceModelOptions(embedding: nil, layers: [lstm(5)], end: .length(input: .none)),
      TaskSignature(
        input: frames, output: .labels(SequenceTrial.frame), condition: 2,
        ends: TaskSignature.Ends(longest: longest))
    ),
    (
      "a length of symbols after a source, under a condition",
      SequenceModelOptions(
        embedding: 3, layers: [gru(5)],
        encoder: EncoderOptions(
          embedding: 2,
          layers: [
            LayerOptions(
              .recurrent(cell: "gru", GRU.Options(hidden: 3)), bidirectional: .concat)
          ], attention: AttentionOptions(.additive)), end: .length()),
      TaskSignature(
        input: symbols, output: .symbols(7), condition: 2, source: 8,
        ends: TaskSignature.Ends(symbol: 2, longest: longest))
    ),
  ]
}
