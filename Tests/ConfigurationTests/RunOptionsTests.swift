import Collectives
import Configuration
import Datasets
import Formats
import Foundation
import Optimization
import Recurrence
import Testing

/// The one section without which there is no run; on a line of its own, so that positions in the first
/// line are those of what is tested.
private let model = "\nmodel: {embedding: 4, layers: [{cell: elman, hidden: 5}]}\n"

@Suite struct `Options of a run` {
  @Test func `A configuration that says nothing but the model gives the defaults`() throws {
    let options = try decode(RunOptions.self, model)
    #expect(options.name == "run")
    #expect(options.seed == 1)
    #expect(options.training == TrainingOptions())
    #expect(options.training.batchSize == 20)
    #expect(options.training.bptt == 35)
    #expect(options.training.lossReduction == .mean)
    #expect(options.training.objective == TrainingObjective())
    #expect(options.training.carryState)
    #expect(options.training.onNonfinite.policy == .stop)
    #expect(options.checkpoint.keep == 3)
    #expect(options.evaluation.every == .epoch)
  }

  @Test func `Every key is read`() throws {
    let options = try decode(
      RunOptions.self,
      """
      name: shakespeare
      seed: 18446744073709551615
      training:
        batch_size: 8
        bptt: 12
        steps: 1e3
        loss_reduction: sum_over_time
        label_smoothing: 0.1
        z_loss: 1e-4
        precision: float32
        on_nonfinite: {policy: skip, limit: 4}
        carry_state: false
        early_stop: {patience: 5}
      checkpoint: {every: 90s, keep: 2}
      evaluation: {every: 500, batch_size: 3, bptt: 7}
      console: {progress: lines, every: 2h}

      """ + model)
    #expect(options.name == "shakespeare")
    #expect(options.seed == .max)
    #expect(options.training.batchSize == 8)
    #expect(options.training.bptt == 12)
    #expect(options.training.length == .steps(1000))
    #expect(options.training.lossReduction == .sumOverTime)
    #expect(
      options.training.objective == TrainingObjective(labelSmoothing: 0.1, zLoss: 1e-4))
    #expect(options.training.onNonfinite.policy == .skip)
    #expect(options.training.onNonfinite.limit == 4)
    #expect(!options.training.carryState)
    #expect(options.training.earlyStop == EarlyStopping.Options(patience: 5))
    #expect(options.checkpoint.every == .seconds(90))
    #expect(options.checkpoint.keep == 2)
    #expect(options.evaluation.every == .steps(500))
    #expect(options.evaluation.batchSize == 3)
    #expect(options.evaluation.bptt == 7)
    #expect(options.console.progress == .lines)
    #expect(options.console.every == .seconds(7200))
  }

  @Test func `Evaluation has the streams and the window of training unless told otherwise`() throws
  {
    let options = try decode(
      RunOptions.self, "training: {batch_size: 6, bptt: 9}\nevaluation: {bptt: 4}" + model)
    #expect(options.evaluation.batchSize == 6)
    #expect(options.evaluation.bptt == 4)
  }

  @Test(
    arguments: [
      ("{}", 20, 700), ("{every: 5}", 20, 700), ("{batch_size: 3}", 3, nil),
      ("{batch_tokens: 90}", 20, 90), ("{batch_size: 3, batch_tokens: 90}", 3, 90),
      ("{batch_tokens: null}", 20, nil),
    ] as [(String, Int, Int?)])
  func `Evaluation has the budget of training unless it has a batch size or a budget of its own`(
    _ section: String, _ batchSize: Int, _ budget: Int?
  ) throws {
    let options = try decode(
      RunOptions.self, "training: {batch_tokens: 700}\nevaluation: \(section)" + model)
    let request = options.evaluation.loaderRequest(in: SingleProcess())
    #expect(request.batchSize == batchSize && request.batchTokens == budget)
    #expect(request.allowsLongSequences && request.isBucketed == (budget != nil))
    let again = try JSONDecoder().decode(RunOptions.self, from: JSONEncoder().encode(options))
    #expect(again.evaluation == options.evaluation)
  }

  @Test func `What happens at a bad number is one word or a mapping`() throws {
    let options = try decode(RunOptions.self, "training: {on_nonfinite: skip}" + model)
    #expect(options.training.onNonfinite.policy == .skip)
    #expect(options.training.onNonfinite.limit == 10)
  }

  @Test(
    arguments: [
      ("training: {batch_size: 0}", "24: batch_size must be at least 1"),
      ("training: {bptt: -1}", "18: bptt must be at least 1"),
      ("training: {epochs: 0}", "20: epochs must be above 0 and at most 1073741824"),
      ("training: {steps: 0}", "19: steps must be at least 1"),
      (
        "training: {epochs: 1, steps: 2}",
        "30: training takes epochs, steps or tokens, not two of them; set one of them to null"
      ),
      (
        "training: {loss_reduction: sum}",
        "28: training.loss_reduction is one of mean, sum_over_time, found \"sum\";"
          + " did you mean \"sum_over_time\"?"
      ),
      (
        "training: {precision: float16}",
        "23: training.precision is one of float32, bfloat16, found \"float16\";"
          + " did you mean \"bfloat16\"?"
      ),
      (
        "training: {on_nonfinite: ignore}",
        "26: no policy is called ignore; choose one of rollback, skip, stop"
      ),
      (
        "training: {label_smoothing: 1}",
        "29: label_smoothing must be at least 0 and below 1"
      ),
      ("training: {z_loss: -1}", "20: z_loss must be at least 0"),
      ("training: {on_nonfinite: {limit: 0}}", "34: limit must be at least 1"),
      (
        "training: {early_stop: {patience: 0}}",
        "35: patience is 0; write a whole number of at least 1"
      ),
      ("training: {early_stop: {}}", "24: training.early_stop needs the key \"patience\"; add it"),
      ("checkpoint: {keep: 1}", "20: keep must be at least 2"),
      (
        "checkpoint: {every: 10 minutes}",
        "21: checkpoint.every is a number of steps (1000), a time (30s, 10m, 2h) or epoch;"
          + " write one of these"
      ),
      (
        "evaluation: {every: 10m}",
        "21: evaluation.every is a number of steps or epoch, so that runs can be compared;"
          + " write one of these"
      ),
      ("evaluation: {batch_size: 0}", "26: batch_size must be at least 1"),
      (
        "name: a/b",
        "7: name becomes the name of a folder; write it without a slash or a leading point"
      ),
      ("seed: -1", "7: expected an integer ≥ 0 for seed, found \"-1\""),
      ("training: {bs: 1}", "12: unknown key \"bs\" in training; did you mean \"batch_size\"?"),
    ])
  func `An impossible value is refused where it stands`(yaml: String, expected: String) {
    #expect(message(RunOptions.self, yaml + model) == "a.yaml:1:\(expected)")
  }

  @Test func `A readout of a network over trees is refused`() {
    let yaml = """
      data: {format: trees, view: tree, train: t.txt}
      model: {embedding: 4, tree: {cell: plain, hidden: 4}}
      training: {readout: {ridge: 1}}
      """
    let sentence = message(RunOptions.self, yaml)
    #expect(sentence.hasPrefix("a.yaml:2:") && sentence.hasSuffix("remove training.readout"))
    #expect(sentence.contains("tree"))
  }

  @Test(
    arguments: [
      ("1000", "1000"), ("1e3", "1000"), ("epoch", "epoch"), ("30s", "30s"), ("90s", "90s"),
      ("60s", "1m"), ("10m", "10m"), ("90m", "90m"), ("120m", "2h"), ("2h", "2h"),
    ])
  func `An interval reads back as the shortest way to write it`(
    text: String, shortest: String
  ) throws {
    let options = try decode(CheckpointOptions.self, "every: \(text)")
    let yaml = try ResolvedConfiguration.yaml(options)
    #expect(yaml.split(separator: "\n").contains("every: \(shortest)"), "\(yaml)")
    #expect(try decode(CheckpointOptions.self, yaml) == options)
  }

  @Test(arguments: ["0", "-1", "1.5", "0s", "m", "-2m", "1d", "epochs", "\"5\"", "[1]"])
  func `What is no interval is refused`(text: String) {
    #expect(
      message(CheckpointOptions.self, "every: \(text)").hasPrefix("a.yaml:1:8: every is a number"))
  }

  @Test func `Resolved options hold every key and decode to the same options`() throws {
    let yamls = ["", "training: {steps: 7, early_stop: {patience: 2}}\ncheckpoint: {every: 10m}"]
    for yaml in yamls {
      let options = try decode(RunOptions.self, yaml + model)
      #expect(try decode(RunOptions.self, try ResolvedConfiguration.yaml(options)) == options)
      let json = try ResolvedConfiguration.json(options)
      #expect(try JSONDecoder().decode(RunOptions.self, from: json) == options)
    }
  }

  @Test func `A section that the configuration of a checkpoint lacks has its defaults`() throws {
    let options = try decode(RunOptions.self, "data: {train: a.txt}" + model)
    var json = try #require(
      JSONSerialization.jsonObject(with: ResolvedConfiguration.json(options)) as? [String: Any])
    for section in ["communication", "checkpoint", "evaluation", "console", "report", "watchdog"] {
      #expect(json.removeValue(forKey: section) != nil, "\(section)")
    }
    let older = try JSONSerialization.data(withJSONObject: json)
    #expect(try JSONDecoder().decode(RunOptions.self, from: older) == options)
  }

  @Test func `The keys of all sections are recorded, present or not`() throws {
    let decoder = ConfigurationDecoder(try Configuration(yaml: model, file: "a.yaml"))
    _ = try decoder.decode(RunOptions.self)
    for key in ["seed", "training.bptt", "checkpoint.keep", "evaluation.every", "console.progress"]
    {
      #expect(decoder.recordedKeys.contains(key))
    }
  }
}
