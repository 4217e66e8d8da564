import Checkpointing
import Configuration
import Exchange
import Formats
import LinearAlgebra
import Recurrence
import Sequences
import TestSupport
import Testing

@Suite struct `Weights in other forms` {
  struct Model: CustomTestStringConvertible, Sendable {
    let cells: [String]
    var options = ""
    var testDescription: String { cells.joined(separator: ", ") + options }

    var yaml: String {
      let layers = cells.enumerated().map { "{cell: \($1), hidden: \(5 + $0)\(options)}" }
      return "{embedding: 4, layers: [\(layers.joined(separator: ", "))]}"
    }
    /// True if b + b′ is added before anything else.
    var addsBiasesFirst: Bool { !cells.contains("gru") }
    var isGRU: Bool { cells.contains { $0.hasPrefix("gru") } }
  }

  static let models = [
    Model(cells: ["elman"]), Model(cells: ["lstm"]), Model(cells: ["gru"]),
    Model(cells: ["gru"], options: ", biases: 1"), Model(cells: ["gru-reset-before"]),
    Model(cells: ["gru-reset-before"], options: ", biases: 1"),
    Model(cells: ["gru", "lstm", "gru-reset-before"]),
    Model(cells: ["update-gru"]), Model(cells: ["update-gru"], options: ", biases: 1"),
    Model(cells: ["update-gru"], options: ", gate_candidate: true"),
    Model(cells: ["leaky"], options: ", alpha: 0.6"),
  ]
  static let candidate = WeightForm(updateGate: .candidate)
  static let joined = WeightForm(isJoined: true)
  static let both = WeightForm(isJoined: true, updateGate: .candidate)

  private func trained(
    _ yaml: String, _ body: (SmallRun, Checkpoint, _ path: String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(
        in: folder, model: yaml, training: "schedule: {learning_rate: 3}", steps: 9)
      try body(run, try run.train(), folder + "/exported.safetensors")
    }
  }

  /// Returns the model's own logits after each symbol.
  private func logits(_ checkpoint: Checkpoint, _ symbols: [Int32]) throws -> [[Float]] {
    let (model, weights) = try checkpoint.anyModel()
    let tape = Tape(model.plan, steps: symbols.count, streams: 1, derivatives: false)
    let batch = Batch(rows: symbols.count)
    batch.begin(steps: symbols.count, streams: 1)
    for (t, symbol) in symbols.enumerated() { batch.inputs.elements()[t] = symbol }
    let pass = tape.begin(batch, weights: weights)
    model.read(pass)
    let sequence = try #require(model as? SequenceModel)
    return symbols.indices.map { Array(sequence.outputs(at: $0, pass)[0].elements) }
  }

  private static let text: [Int32] = [1, 4, 2, 2, 7, 0, 3, 5, 1, 6, 4]

  @Test(arguments: models)
  func `a network of joined matrices in plain numbers is the model`(_ model: Model) throws {
    try trained(model.yaml) { run, checkpoint, path in
      let expected = try logits(checkpoint, Self.text)
      for form in model.isGRU ? [Self.joined, Self.both] : [Self.joined] {
        try PyTorchExport(checkpoint, form: form).save(to: path)
        let network = try PlainNetwork(
          try SafetensorsFile(path), cells: model.cells, gate: form.updateGate,
          gatesCandidate: model.options.contains("gate_candidate"))
        for (found, expected) in zip(network.logits(Self.text), expected) {
          for (x, y) in zip(found, expected) {
            #expect(abs(x - Double(y)) < 1e-5 * max(1, abs(x)) + 1e-5)
          }
        }
      }
    }
  }

  @Test(arguments: models)
  func `what was joined, split and joined again has the same bits`(_ model: Model) throws {
    for form in model.isGRU ? [Self.joined, Self.both] : [Self.joined] {
      try trained(model.yaml) { run, checkpoint, path in
        try PyTorchExport(checkpoint, form: form).save(to: path)
        try run.open("imported", from: path, resume: .none).save()
        let imported = try run.latest("imported")
        let again = try PyTorchExport(imported, form: form)
        #expect(contents(of: try SafetensorsFile(path).tensors) == contents(of: again.tensors))
        let (before, after) = (try logits(checkpoint, Self.text), try logits(imported, Self.text))
        if model.addsBiasesFirst {
          #expect(before == after)
        } else {
          for (x, y) in zip(before.joined(), after.joined()) { #expect(abs(x - y) < 2e-5) }
        }
      }
    }
  }

  @Test(arguments: models.filter(\.isGRU))
  func `another sign of update gates comes back bit by bit`(_ model: Model) throws {
    try trained(model.yaml) { run, checkpoint, path in
      try PyTorchExport(checkpoint, form: Self.candidate).save(to: path)
      let file = try SafetensorsFile(path)
      let own = try checkpoint.tensors(of: "model.safetensors")
      // Only the middle block of what belongs to a gate differs.
      var turned = 0
      for tensor in own.tensors where file[tensor.name] != nil {
        let (a, b) = (
          try own.values(tensor.name, as: Float.self), try file.values(tensor.name, as: Float.self)
        )
        for i in a.indices where a[i] != b[i] {
          #expect(a[i] == -b[i] && !tensor.name.contains("coder"))
          let hidden = 5 + (Int(tensor.name.split(separator: ".")[1]) ?? 0)
          #expect(i / (a.count / tensor.shape[0]) / hidden == 1, "\(tensor.name)")
          turned += 1
        }
      }
      #expect(turned > 5 * (4 + 5))
      // The file says so itself; where it does not, the command does.
      for (metadata, gate) in [(file.metadata, nil), ([:], UpdateGate.candidate)] {
        let other = run.home + "/other.safetensors"
        try Safetensors.save(file.tensors, metadata: metadata, to: other)
        let (fresh, weights) = try checkpoint.anyModel()
        weights.initialize(seed: 99)
        try SafetensorsFile(other).load(fresh, into: weights, updateGate: gate)
        #expect(contents(of: weights.tensors()) == contents(of: own.tensors))
      }
    }
  }

  @Test func `what does not fit is one sentence with the tensor's name and both shapes`() throws {
    try trained(Self.models[3].yaml) { run, checkpoint, path in
      let tensors = try PyTorchExport(checkpoint, form: Self.joined).tensors
      let (model, weights) = try checkpoint.anyModel()
      func refusal(
        _ metadata: [String: String] = [:], _ gate: UpdateGate? = nil,
        _ change: (inout [String: Tensor]) -> Void
      ) throws -> String {
        var changed = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        change(&changed)
        try Safetensors.save(Array(changed.values), metadata: metadata, to: path)
        let file = try SafetensorsFile(path)
        let error = #expect(throws: FileError.self) {
          try file.load(model, into: weights, updateGate: gate)
        }
        #expect(error?.exitCode == 65)
        return error?.description.replacing(path, with: "FILE") ?? ""
      }
      func tensor(_ name: String, _ shape: [Int]) -> Tensor {
        Tensor(name, shape: shape, copying: [Float](repeating: 1, count: shape.reduce(1, *)))
      }
      let tail = "; use the configuration it was made with"
      #expect(
        try refusal { $0["rnn.weight_l0"] = tensor("rnn.weight_l0", [15, 8]) }
          == "FILE does not fit this model: it holds rnn.weight_l0 as [15, 8] and not [15, 9]"
          + tail)
      #expect(
        try refusal { $0["rnn.bias_l0"] = nil }
          == "FILE does not fit this model: it has no rnn.bias_l0" + tail)
      #expect(
        try refusal { $0["rnn.bias_hn_l0"] = tensor("rnn.bias_hn_l0", [5]) }
          == "FILE does not fit this model: it holds rnn.bias_hn_l0 other than zero (set the layer's "
          + "biases to 2)" + tail)
      #expect(
        try refusal { $0["rnn.weight_ih_l0"] = tensor("rnn.weight_ih_l0", [15, 4]) }
          == "FILE does not fit this model: it also holds rnn.weight_ih_l0" + tail)
      #expect(
        try refusal(["update_gate": "candidate"], .past) { _ in }
          == "FILE does not fit this model: it says that its update gates multiply the candidate, "
          + "and not the past; leave --update-gate out")
    }
  }

  @Test(
    arguments: [
      ("{cell: skip, hidden: 5, delays: [2]}", joined, "layer 1 is a skip, and only elman"),
      ("{cell: leaky, hidden: 4, recurrent: false}", joined, "layer 1 is a leaky without U"),
      ("{cell: lstm, hidden: 5, layer_norm: true}", joined, "layer 1 has layer normalisation"),
      ("{cell: gru, hidden: 5, zoneout: 0.1}", candidate, "layer 1 has zoneout"),
      ("{cell: lstm, hidden: 5}", candidate, "no layer is a gru"),
    ])
  func `a layer without another form is refused by its name`(
    _ layer: String, _ form: WeightForm, _ reason: String
  ) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(
        in: folder, model: "{embedding: 4, layers: [{cell: elman, hidden: 5}, \(layer)]}", steps: 1)
      let checkpoint = try run.train()
      let error = #expect(throws: FileError.self) {
        try PyTorchExport(checkpoint, form: form)
      }
      #expect(error?.exitCode == 65)
      #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }
  }

  @Test func `peepholes, coupled gates and projections stay beside a joined matrix`()
    throws
  {
    let layer = "{cell: lstm, hidden: 5, peephole: gers, coupled: true, projection: 3}"
    try trained("{embedding: 4, layers: [\(layer)]}") { run, checkpoint, path in
      let export = try PyTorchExport(checkpoint, form: Self.joined)
      #expect(export.tensors.first { $0.name == "rnn.weight_l0" }?.shape == [15, 7])
      try export.save(to: path)
      try run.open("imported", from: path, resume: .none).save()
      #expect(
        try logits(run.latest("imported"), Self.text) == logits(checkpoint, Self.text))
    }
  }
}
