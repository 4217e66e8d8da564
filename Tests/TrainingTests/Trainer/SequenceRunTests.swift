import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Runs over whole sequences, for each kind of model: on any number of ranks, stopped and
  /// resumed.
  @Suite struct `Runs over sequences` {
    static let training = """
      training:
        batch_size: 5
        steps: 23
        optimizer: {rule: adam}
        schedule: {learning_rate: 0.01}
        clip: {norm: 1}
      checkpoint: {every: 1000, keep: 1000}
      evaluation: {every: 6}
      """

    /// A run over sources and what is made of them.
    /// - Parameter model: what its section has besides the embedding.
    static func pairs(_ name: String, _ model: String) -> String {
      """
      name: \(name)
      seed: 7
      data:
        format: pairs
        train: FOLDER/train.txt
        valid: FOLDER/valid.txt
        tokenizer: character
        source: {train: FOLDER/source.txt, valid: FOLDER/source-valid.txt, tokenizer: character}
      model:
        embedding: 5
        \(model.replacing("\n", with: "\n  "))
      """
    }

    static let trials = plain.merging(GivenTrials.all) { plain, _ in plain }

    private static let plain: [String: Trial] = [
      "pairs": pairs(
        "pairs",
        """
        dropout: 0.3
        encoder: {embedding: 4, layers: [{cell: gru, hidden: 3, bidirectional: concat}]}
        context: both
        attention: additive
        layers: [{cell: lstm, hidden: 7}]
        """),
      "tags": """
      name: tags
      seed: 7
      data: {format: tags, train: FOLDER/tags.txt, valid: FOLDER/tags-valid.txt}
      model: {embedding: 5, dropout: 0.3, layers: [{cell: gru, hidden: 6, bidirectional: sum}]}
      """,
      "tags fed back": fedTags, "tags fed back as predicted": fedTags,
      "pairs that read predictions": pairs(
        "pairs",
        """
        dropout: 0.3
        encoder: {embedding: 4, layers: [{cell: gru, hidden: 3}]}
        context: both
        attention: additive
        attention_place: input
        layers: [{cell: lstm, hidden: 7, feedback: target}]
        """),
      "series that read predictions, in windows": table(
        "series", targets: "u, v", model: "{layers: [{cell: gru, hidden: 6}]}"),
      "numbers fed back in windows": table(
        "series", targets: "u, v", model: "{layers: [{cell: gru, hidden: 6, feedback: target}]}"),
      "windows": """
      name: windows
      seed: 7
      data: {task: adding, length: 30, form: hochreiter, train_size: 23, valid_size: 9}
      model: {layers: [{cell: lstm, hidden: 7, initial_state: learnt}]}
      """,
      "condition": """
      name: condition
      seed: 7
      data: {task: conditioned, train_size: 23, valid_size: 9}
      model:
        {embedding: 4, layers: [{cell: gru, hidden: 6, zoneout: 0.2}], condition: initial_state}
      """,
      "condition as the first input": """
      name: condition
      seed: 7
      data: {task: conditioned, train_size: 23, valid_size: 9}
      model:
        {embedding: 4, layers: [{cell: lstm, hidden: 6}], dropout: 0.2, condition: first_input}
      """,
      "halt": pairs(
        "halt",
        """
        dropout: 0.3
        encoder: {embedding: 4, layers: [{cell: lstm, hidden: 3}]}
        layers: [{cell: lstm, hidden: 7}]
        end: halt
        """),
      "halt of numbers in windows": table(
        "series", targets: "u, v", model: "{layers: [{cell: gru, hidden: 6}], end: halt}"),
      "numbers at some steps, in windows": table(
        "some", targets: "u, v", model: "{layers: [{cell: gru, hidden: 6}]}"),
      "numbers at the end": table(
        "last", targets: "u", model: "{layers: [{cell: gru, hidden: 6, bidirectional: concat}]}"),
      "nothing to read, in windows": table(
        "series", inputs: "", targets: "u, v",
        model: "{layers: [{cell: gru, hidden: 6, initial_state: learnt}]}"),
      "variational, in windows": """
      name: variational
      seed: 7
      data: {task: adding, length: 30, form: hochreiter, train_size: 23, valid_size: 9}
      model: {layers: [{cell: lstm, hidden: 7}], dropout: 0.3, variational: true, recurrent: true}
      """,
      "regularised pairs": pairs(
        "regularised",
        """
        dropout: 0.3
        embedding_dropout: 0.2
        encoder:
          {embedding: 4, layers: [{cell: gru, hidden: 3, bidirectional: concat, weight_dropout: 0.4}]}
        attention: multiplicative
        layers: [{cell: lstm, hidden: 7, weight_dropout: 0.4}]
        """),
      "regularised, in windows": table(
        "series", targets: "u, v",
        model: "{layers: [{cell: gru, hidden: 6, weight_dropout: 0.4}], dropout: 0.2}"),
      "length": pairs(
        "length",
        """
        encoder: {embedding: 4, layers: [{cell: gru, hidden: 3, bidirectional: concat}]}
        attention: multiplicative
        layers: [{cell: lstm, hidden: 7}]
        end: length
        """),
      "length in windows": """
      name: length
      seed: 7
      data: {task: conditioned, train_size: 23, valid_size: 9}
      model: {embedding: 4, layers: [{cell: gru, hidden: 6}], end: length, length_input: remaining}
      """,
    ].reduce(into: [:]) { trials, named in
      let (name, yaml) = named
      var trial = Trial()
      trial.yaml = yaml + "\n" + training
      if let sampling = sampled[name] {
        trial = trial.with("training.scheduled_sampling=" + sampling)
      }
      if name.contains("regularised") {
        trial = trial.with(
          "training.activation_regularization=2", "training.temporal_regularization=1")
      }
      if name.contains("windows") { trial = trial.with("training.bptt=8") }
      trial.texts = [
        "train.txt": lines(31, seed: 3) { String($0.reversed()) },
        "source.txt": lines(31, seed: 3) { $0 },
        "valid.txt": lines(9, seed: 4) { String($0.reversed()) },
        "source-valid.txt": lines(9, seed: 4) { $0 },
        "tags.txt": lines(31, seed: 3, tagged), "tags-valid.txt": lines(9, seed: 4, tagged),
        "series.csv": series(23), "series-valid.csv": series(9),
        "some.csv": series(23) { t, _ in t % 3 == 1 },
        "some-valid.csv": series(9) { t, _ in t % 3 == 1 },
        "last.csv": series(23) { $0 == $1 - 1 }, "last-valid.csv": series(9) { $0 == $1 - 1 },
      ]
      trials[name] = trial
    }

    /// A layer that is fed the tags above one that reads in both directions.
    private static let fedTags = """
      name: tags
      seed: 7
      data: {format: tags, train: FOLDER/tags.txt, valid: FOLDER/tags-valid.txt}
      model:
        embedding: 5
        dropout: 0.3
        layers:
          - {cell: gru, hidden: 6, bidirectional: concat}
          - {cell: jordan, hidden: 5, teacher_forcing: true}
      """

    @Test(arguments: [World.all[0]])
    func `refuses to feed predictions where nothing reads them`(_ world: World) throws {
      let refused = [
        ("tags", "{shape: constant, from: 0.3}", "training.scheduled_sampling would do nothing"),
        (
          "series that read predictions, in windows", "{choice: greedy, steps: 9}",
          "training.scheduled_sampling.choice would do nothing"
        ),
      ]
      for (name, setting, words) in refused {
        let trial = Self.trials[name]!.with("training.scheduled_sampling=" + setting)
        let results = try world.run { world, folder in
          do {
            try trial.train(world, folder)
            return "nothing"
          } catch { return "\(error)" }
        }
        #expect(results.contains { $0.contains(words) }, "\(name): \(results)")
      }
    }

    /// How runs feed predictions in place of targets.
    private static let sampled = [
      "tags fed back as predicted": "{from: 0.9, to: 0.2, steps: 20}",
      "pairs that read predictions": "{choice: sample, shape: inverse_sigmoid, steps: 6}",
      "series that read predictions, in windows": "{shape: constant, from: 0.3}",
    ]

    /// A configuration of a table of numbers.
    private static func table(
      _ file: String, inputs: String = "x, y", targets: String, model: String
    ) -> String {
      """
      name: \(file)
      seed: 7
      data:
        format: csv
        train: FOLDER/\(file).csv
        valid: FOLDER/\(file)-valid.csv
        columns: {inputs: [\(inputs)], targets: [\(targets)], id: run}
      model: \(model)
      """
    }

    /// Lines of 1 to 9 letters.
    static func lines(
      _ count: Int, seed: UInt64, _ change: (String) -> String
    ) -> String {
      var state = seed
      func draw(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % count
      }
      return (0..<count).map { _ in
        change(String((0...draw(9)).map { _ in Character(["a", "b", "c"][draw(3)]) })) + "\n"
      }.joined()
    }

    /// Two numbers a step beside those of the step after, in series of 2 to 11 steps.
    /// - Parameter asks: whether step t of so many asks for something; all do unless it is given.
    static func series(
      _ count: Int, asks: (_ t: Int, _ steps: Int) -> Bool = { _, _ in true }
    ) -> String {
      (0..<count).reduce("run,x,y,u,v\n") { text, run in
        let numbers = (0...2 + run * 7 % 10).map { "\($0 * run % 5),\(($0 + run) % 3)" }
        return zip(numbers, numbers.dropFirst()).enumerated().reduce(text) { text, row in
          let targets = asks(row.offset, numbers.count - 1) ? row.element.1 : ","
          return text + "\(run),\(row.element.0),\(targets)\n"
        }
      }
    }

    @Test(arguments: World.all)
    func `ask for what the rows ask for`(_ world: World) throws {
      // Of n steps each third, or the last of each series.
      let steps = (0..<23).map { 2 + $0 * 7 % 10 }
      for (name, count) in [
        ("numbers at some steps, in windows", steps.reduce(0) { $0 + ($1 + 1) / 3 }),
        ("numbers at the end", 23),
      ] {
        let tokens = try world.run { world, folder in
          let trial = Self.trials[name]!.with("training.steps=null", "training.epochs=2")
          try trial.train(world, folder)
          return try Metrics(folder).values("tokens").max() ?? 0
        }
        #expect(tokens.allSatisfy { $0 == Double(2 * count) }, "\(name): \(tokens) for \(count)")
      }
    }

    private static func tagged(_ line: String) -> String {
      zip(line, line.dropFirst() + "a").map { "\($0)|\($1 == "b" ? "B" : "O")" }
        .joined(separator: " ")
    }

    @Test(arguments: World.several, trials.keys.sorted())
    func `do not depend on the number of ranks`(_ world: World, _ name: String) throws {
      for found in try Self.trials[name]!.divergencesFromAlone(["loss", "valid_loss"], in: world) {
        #expect(found[0] < 1e-4 && found[1] < 1e-4 && found[2] < 1e-3, "\(found)")
      }
    }

    @Test(
      arguments: World.all,
      trials.keys.sorted())
    func `end with the bytes of those that were not stopped`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.trials[name]!
      for found in try trial.differencesWhenStopped(at: [3, 7, 16], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.all)
    func `refuse to cut what has to be read as a whole`(_ world: World) throws {
      for name in ["pairs", "tags"] {
        for setting in ["training.recompute=sqrt", "training.bptt=4", "evaluation.bptt=4"] {
          _ = try world.run { world, folder in
            #expect(throws: (any Error).self) {
              _ = try Self.trials[name]!.with(setting).prepare(world, folder)
            }
          }
        }
      }
    }
  }
}
