import Configuration
import Foundation
import NumericalTestSupport
import Recurrence
import Sequences
import Testing

/// The list of rules across settings: what each refuses, and what the documentation says of it.
@Suite struct `Rules across settings` {
  static func options(_ settings: [String]) throws -> RunOptions {
    var configuration = try Configuration(
      yaml: "{data: {train: t.txt}, model: {layers: [{cell: elman, hidden: 5}]}}", file: "rules")
    for setting in settings { try configuration.set(setting) }
    return try configuration.decode(RunOptions.self)
  }

  private static let ends = TaskSignature.Ends(symbol: 2, longest: 8)
  private static let text = TaskSignature(vocabulary: 7)
  private static let tags = TaskSignature(input: .symbols(7), output: .symbols(4))
  private static let lines = TaskSignature(input: .symbols(7), output: .symbols(7), ends: ends)
  private static let labels = TaskSignature(
    input: .symbols(7), output: .symbols(3), asksOnce: true)
  private static let pairs = TaskSignature(
    input: .symbols(7), output: .symbols(7), source: 6, ends: ends)
  private static let translated = TaskSignature(
    input: .symbols(7), output: .symbols(7), condition: 2, source: 6)
  private static let described = TaskSignature(
    input: .symbols(7), output: .symbols(7), sourceFrames: 4, ends: ends)
  private static let told = TaskSignature(
    input: .symbols(7), output: .symbols(7), condition: 2, ends: ends)
  private static let frames = TaskSignature(input: .frames(3), output: .numbers(3))
  private static let nothing = TaskSignature(input: .nothing, output: .numbers(1))
  private static let trees = TaskSignature(
    input: .symbols(9), output: .symbols(4), isTree: true)
  private static let many = TaskSignature(input: .symbols(1 << 25), output: .symbols(1 << 25))

  private static let turned = "model.layers.0.bidirectional=sum"
  private static let encoder = "model.encoder={layers: [{cell: gru, hidden: 4}]}"
  private static let dense = "model.layers.0={cell: dense, hidden: 5}"
  private static let linear = "model.layers.0={linear: 4}"
  private static let tied = ["model.embedding=5", "model.tied=true"]
  private static let fed = "model.layers.0.feedback=target"

  /// Settings and the data that they do not fit.
  private static let misfits: [([String], TaskSignature)] = [
    (SettingUse.tree, text), ([], trees), ([turned], text), ([turned], lines), (tied, tags),
    (tied + ["model.shortcut=true"], text), (["model.embedding=5"], frames),
    (["model.end=halt"], text), (["model.end=halt"], labels), (["model.end=halt"], tags),
    ([linear, "model.end=length"], lines), ([fed], many), ([fed], labels), ([fed, turned], tags),
    (["model.output.soft_cap=3"], frames), (["model.output={kind: adaptive, cutoffs: [7]}"], text),
    (["model.output={kind: sampled, samples: 4}"], text), (["model.output.kind=adaptive"], many),
    ([], pairs), ([encoder], text), ([encoder, "model.encoder.embedding=3"], described),
    ([encoder, "model.encoder.layers.0.residual=true"], pairs), ([encoder, turned], pairs),
    ([encoder, linear], pairs), ([encoder, dense], pairs),
    (["model.encoder={layers: [{cell: gru, hidden: 4}, {cell: dense, hidden: 4}]}"], pairs),
    (
      [
        encoder, dense, "model.context=every_step", "model.attention=additive",
        "model.attention_place=input",
      ], pairs
    ),
    ([encoder, "model.layers.0.initial_state=learnt"], pairs),
    (["model.condition_embedding=3"], text), ([linear], told),
    ([dense, "model.condition=initial_state"], told),
    (["model.condition=initial_state", "model.layers.0.initial_state=learnt"], told),
    ([encoder, "model.condition=initial_state"], translated),
    (["model.shortcut=true"], nothing), (["model.layers.0.residual=true"], frames),
    (["model.condition=first_input"], text), (["training.stride=3"], lines),
    (["training.ramp={from: 2}"], lines), (["training.tokens=100"], lines),
    (["training.groups=[{match: '*.bais', rate: 2}]"], text),
    (["training.groups=[{kind: vector, rate: 2}, {match: '*bias*', rate: 3}]"], text),
    (["model.layers.0.frozen=true", "training.groups=[{match: rnn.*, rate: 2}]"], text),
    (["training.ramp={from: 2}"], lines), (["training.random_bptt={short: 0}"], lines),
    (["training.scheduled_sampling={steps: 9}"], tags),
    (["training.scheduled_sampling={choice: greedy, steps: 9}"], frames),
    (["training.temporal_regularization=1"], labels),
    (
      [
        "training.temporal_regularization=1", "training.recompute=sqrt",
        "model.layers.0.residual=true", "model.embedding=5",
      ], text
    ),
    (["training.stride=3", "model.layers.0.weight_dropout=0.5"], text),
    (["training.recompute=sqrt", turned], tags), (["training.bptt=9", turned], tags),
    (["training.stride=3", "model.variational=true"], text), (["training.stride=3", turned], text),
  ]

  /// Options that no configuration decodes to.
  private static func written() throws -> [RunOptions] {
    let readout = try options(SettingUse.readout).training
    var runs = try [tied, SettingUse.tree, ["model.end=halt"]].map(options)
    for i in runs.indices { runs[i].training = readout }
    var narrow = try options([])
    narrow.model = .sequence(
      SequenceModelOptions(embedding: 4, layers: narrow.model.layers, tied: true))
    var rounded = try options(["communication.reproducible=true"])
    rounded.communication.wire = .bfloat16
    var (adaptive, capped) = try (options([]), options([]))
    adaptive.training.objective.zLoss = 0.1
    capped.training = readout
    for (number, output) in [
      OutputOptions(.adaptive(AdaptiveOptions())), OutputOptions(softCap: 3),
    ]
    .enumerated() {
      let model = ModelOptions.sequence(
        SequenceModelOptions(embedding: nil, layers: narrow.model.layers, output: output))
      if number == 0 { adaptive.model = model } else { capped.model = model }
    }
    return runs + [narrow, rounded, adaptive, capped]
  }

  @Test func `Each refuses some run, with one sentence`() throws {
    var runs = try Self.misfits.map { (options: try Self.options($0), data: $1) }
    runs += try Self.written().map { ($0, Self.text) }
    runs.append((try Self.options(["training.clip={}"]), Self.text))
    for row in SettingUse.cases {
      for settings in row.idle where !settings.contains(SettingUse.tree[3]) {
        runs.append((try Self.options(settings + [row.given]), Self.text))
      }
      for settings in row.idle where settings.contains(SettingUse.tree[3]) {
        // A model of trees has no place for some of the keys.
        if let options = try? Self.options(settings + [row.given]) {
          runs.append((options, Self.trees))
        }
      }
    }
    for rule in compatibilityRules {
      let found = runs.flatMap { rule.violations($0.options, data: $0.data) }
      #expect(!found.isEmpty, "no run breaks the rule: \(rule.statement)")
      for violation in found {
        #expect(!violation.sentence.contains("\n") && !violation.sentence.hasSuffix("."))
      }
    }
  }

  @Test func `Settings that data does not fit are refused once the data is known`() throws {
    for (settings, data) in Self.misfits {
      let options = try Self.options(settings)
      #expect(!options.violations(at: .data, data: data).isEmpty, "\(settings)")
      #expect(options.violations(at: .data) == [], "without data nothing is said of it")
    }
  }

  @Test func `A group without a parameter is refused with names that are similar`() throws {
    func sentence(_ group: String) throws -> String? {
      try Self.options(["model.embedding=4", "training.groups=[\(group)]"])
        .violations(at: .data, data: Self.text).first?.sentence
    }
    let similar = try sentence("{match: '*.bais_hh*', rate: 2}")
    #expect(
      similar?.hasPrefix("training.groups.0.match: no parameter is called *.bais_hh*; similar are ")
        == true)
    #expect(similar?.contains("rnn.bias_hh_l0") == true && similar?.contains("encoder") == false)
    let unlike = try sentence("{match: xyz, kind: output, rate: 2}")
    #expect(
      unlike?.hasPrefix(
        "training.groups.0.match: no parameter is called xyz and of the kind output; there are decoder."
      )
        == true)
    #expect(
      unlike?.hasSuffix(", …; write a pattern of such names, or remove the group") == true)
    #expect(try sentence("{match: '*.bias_hh*', rate: 2}") == nil)
  }

  @Test(
    arguments: [
      ("model.tied=true", "cannot be one matrix; set tied to false"),
      ("model.layers.0.feedback=output", "is for layers that read the input and each other"),
    ])
  func `A base of the width refuses models that it has no rule for`(
    _ setting: String, _ words: String
  ) throws {
    let error = #expect(throws: ConfigurationError.self) {
      _ = try Self.options(["model.embedding=5", "model.mup_base=5", setting])
    }
    #expect(error?.message.contains(words) == true)
  }

  @Test(
    arguments: [
      "communication.wire=bfloat16", "communication.compression=powersgd",
      "communication.outer={every: 5}", "communication.overlap=true",
    ])
  func `A reproducible sum refuses other ways of summing while decoding`(_ other: String) throws {
    let error = #expect(throws: ConfigurationError.self) {
      _ = try Self.options(["communication.reproducible=true", other])
    }
    #expect(error?.message.contains("communication.reproducible adds whole gradients") == true)
  }

  @Test(arguments: ["3", "1", "0", "8192", "often", "-2"])
  func `A reproducible sum has a power of two of parts`(_ parts: String) {
    let error = #expect(throws: ConfigurationError.self) {
      _ = try Self.options(["communication.reproducible=" + parts])
    }
    #expect(error?.message.contains("true, false or a number of parts: 2, 4, 8") == true)
  }

  @Test(
    arguments: [
      ("{samples: 3}", "kind to sampled"), ("{kind: sampled}", "set samples"),
      ("{kind: sampled, samples: 0}", "at least 1"), ("{cutoffs: [2, 3]}", "kind to adaptive"),
      ("{kind: adaptive, cutoffs: []}", "rising"), ("{kind: adaptive, cutoffs: [3, 3]}", "rising"),
      ("{kind: adaptive, cutoffs: [0, 3]}", "rising"), ("{div_value: 2}", "kind to adaptive"),
      ("{kind: adaptive, div_value: 0.5}", "at least 1"), ("{head_bias: true}", "kind to adaptive"),
      ("{order: index}", "order is for"), ("{soft_cap: 0}", "above 0"),
      ("{soft_cap: -3}", "above 0"), ("{kind: adaptive}, output_bias: false", "output.head_bias"),
      ("{kind: adaptive}, output_bias_initializer: xavier", "output.head_bias"),
      ("{kind: adaptive}, embedding: 5, tied: true", "adaptive softmax has several"),
      ("{kind: adaptive}}, training: {label_smoothing: 0.1", "logits of all symbols"),
      ("{kind: sampled, samples: 3}}, training: {z_loss: 0.1", "logits of all symbols"),
      ("{soft_cap: 3}}, training: {readout: {ridge: 1}", "full softmax without a soft cap"),
      ("{kind: wide}", "full"), ("{cap: 3}", "cap"),
    ])
  func `Contradictions of the output layer are refused while decoding`(
    _ output: String, _ words: String
  ) throws {
    let yaml =
      "{data: {train: t.txt}, model: {layers: [{cell: elman, hidden: 5}], output: \(output)}}"
    let error = #expect(throws: ConfigurationError.self) {
      _ = try Configuration(yaml: yaml, file: "rules").decode(RunOptions.self)
    }
    #expect(error?.message.contains(words) == true, "\(String(describing: error?.message))")
  }

  @Test func `Contradictions of a readout are refused while decoding`() throws {
    for settings in [Self.tied, SettingUse.tree, ["model.end=halt"]] {
      let error = #expect(throws: ConfigurationError.self) {
        _ = try Self.options(settings + SettingUse.readout)
      }
      #expect(error?.message.contains("a readout") == true)
    }
  }

  @Test func `Each is one sentence that names its keys`() {
    for rule in compatibilityRules {
      #expect(rule.statement.hasSuffix(".") && !rule.statement.contains("\n"))
      #expect(!rule.keys.isEmpty)
    }
    #expect(Set(compatibilityRules.map(\.statement)).count == compatibilityRules.count)
  }

  @Test func `The documentation has the table of all of them`() throws {
    let page = try String(
      contentsOf: packageRoot.appending(path: "docs/configuration.md"), encoding: .utf8)
    let table = CompatibilityRule.table
    #expect(
      page.contains("\n\n" + table + "\n\n"),
      "the section \"Rules across keys\" of docs/configuration.md has to be\n\(table)")
  }
}
