import TestSupport

/// Runs over sequences of which something is given besides: what is known of each as a whole, or frames
/// for an encoder.
enum GivenTrials {
  private typealias Plain = TrainerTests.`Runs over sequences`

  private static let configurations: [String: String] = [
    "classes and numbers of pairs": Plain.pairs(
      "classes",
      """
      dropout: 0.2
      condition_embedding: 3
      condition: initial_state
      encoder: {embedding: 4, layers: [{cell: gru, hidden: 3}]}
      context: every_step
      layers: [{cell: lstm, hidden: 7}]
      """
    ).replacing(
      "  tokenizer: character\n",
      with: """
          tokenizer: character
          condition:
            {classes: [voice], numbers: [pitch], train: FOLDER/known.csv,
             valid: FOLDER/known-valid.csv}

        """),
    "classes that lead lines, in batches by steps": """
    name: leading
    seed: 7
    data:
      format: lines
      train: FOLDER/leading.txt
      valid: FOLDER/leading-valid.txt
      tokenizer: character
      condition: {classes: [1], numbers: [2]}
    model: {embedding: 4, layers: [{cell: gru, hidden: 6}], condition_embedding: 2}
    """,
    "frames to letters": Plain.pairs(
      "frames",
      """
      dropout: 0.2
      encoder: {layers: [{cell: gru, hidden: 3, bidirectional: concat}, {cell: lstm, hidden: 4}]}
      context: both
      attention: additive
      attention_place: input
      layers: [{cell: lstm, hidden: 7}]
      """
    ).replacing("train.txt", with: "named.txt").replacing("/valid.txt", with: "/named-valid.txt")
      .replacing(
        "{train: FOLDER/source.txt, valid: FOLDER/source-valid.txt, tokenizer: character}",
        with: """
          {format: csv, train: FOLDER/frames.csv, valid: FOLDER/frames.csv,
               columns: {inputs: [x, y], id: run}}
          """),
    "spoken digits that end by a halt": """
    name: digits
    seed: 7
    data: {task: spoken-digits, length: [1, 3], train_size: 23, valid_size: 9}
    model:
      embedding: 4
      encoder: {layers: [{cell: gru, hidden: 5}], dropout: 0.2}
      attention: multiplicative
      layers: [{cell: gru, hidden: 6}]
      end: halt
    """,
  ]

  static let all: [String: Trial] = configurations.reduce(into: [:]) { trials, configuration in
    let (name, yaml) = configuration
    var trial = Trial()
    trial.yaml = yaml + "\n" + Plain.training
    if name.contains("by steps") {
      trial = trial.with("training.batch_size=null", "training.batch_tokens=60")
    }
    trial.texts = [
      "train.txt": Plain.lines(31, seed: 3) { String($0.reversed()) },
      "source.txt": Plain.lines(31, seed: 3) { $0 },
      "valid.txt": Plain.lines(9, seed: 4) { String($0.reversed()) },
      "source-valid.txt": Plain.lines(9, seed: 4) { $0 },
      "known.csv": "voice,pitch\n" + known(31, ","),
      "known-valid.csv": "voice,pitch\n" + known(9, ","),
      "leading.txt": leading(31, seed: 3), "leading-valid.txt": leading(9, seed: 4),
      "named.txt": named(31, seed: 3), "named-valid.txt": named(9, seed: 4),
      "frames.csv": Plain.series(31),
    ]
    trials[name] = trial
  }

  /// A class and a number for each of some sequences.
  private static func known(_ count: Int, _ separator: String) -> String {
    (0..<count).map { "\(["low", "high", "odd"][$0 * $0 % 3])\(separator)\($0 % 7)\n" }.joined()
  }

  /// Lines that a class and a number lead.
  private static func leading(_ count: Int, seed: UInt64) -> String {
    zip(
      known(count, "\t").split(separator: "\n"),
      Plain.lines(count, seed: seed) { $0 }.split(separator: "\n")
    ).map { "\($0)\t\($1)\n" }.joined()
  }

  /// Lines that the names of series lead, from the last on.
  private static func named(_ count: Int, seed: UInt64) -> String {
    Plain.lines(count, seed: seed) { $0 }.split(separator: "\n").enumerated()
      .map { "\(count - 1 - $0)\t\($1)\n" }.joined()
  }
}
