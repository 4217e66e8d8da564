import Checkpointing
import Exchange
import Formats
import Foundation
import Recurrence
import TestSupport
import Testing

@Suite struct `Files of other programs` {
  static let models = [
    "{preset: rwkv7, width: 64, depth: 2}",
    """
    {embedding: 64, embedding_norm: layernorm, final_norm: layernorm, tied: true, output_bias: false, \
    layers: [{block: {norm: layernorm, mixer: {cell: rwkv7, hidden: 64, heads: 1, gate_rank: 5, \
    input_weights: false, out_projection: true, projection_bias: false}, mlp: {kind: squared_relu, \
    factor: 3.1, bias: false, token_shift: true}}}]}
    """,
    "{preset: mamba2, width: 6, depth: 2}",
    "{preset: mamba2, width: 4, depth: 1, tied: false}",
  ]
  static let files: [ForeignContainer: String] = [
    .huggingface: "out", .gguf: "out.gguf", .rwkv: "out.safetensors",
  ]

  @Test(arguments: models)
  func `an exported file, imported, is the same weights, and the run goes on from there`(
    _ model: String
  ) throws {
    let containers = files(of: model)
    #expect(containers.count == 2)
    for container in containers {
      try withTemporaryFolder { folder in
        let run = try SmallRun(in: folder, model: model)
        let trained = try run.train()
        let file = folder + "/" + Self.files[container]!
        _ = try ForeignExport(trained, to: container).save(to: file)

        let foreign = try #require(try ForeignFile(file))
        let section = try foreign.modelSection()
        if model.contains("preset") { #expect(section == model) }
        let again = try SmallRun(in: folder, model: section)
        #expect(again.options.model.sequence == foreign.model.options)
        try run.open("imported", from: file, resume: .none).save()
        let start = contents(
          of: try run.latest("imported").tensors(of: "model.safetensors").tensors)
        for tensor in try trained.tensors(of: "model.safetensors").tensors
        where container != .gguf || !tensor.name.hasSuffix("A_log_l0") {
          #expect(start[tensor.name] == Array(tensor.memory), "\(tensor.name) by \(container)")
        }
        #expect(try run.open("imported").train() == .complete)
      }
    }
  }

  private func files(of model: String) -> [ForeignContainer] {
    model.contains("rwkv7") ? [.gguf, .rwkv] : [.gguf, .huggingface]
  }

  @Test func `another model than the configuration's is refused with the first difference`() throws
  {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: Self.models[0], steps: 1)
      let file = folder + "/out.gguf"
      _ = try ForeignExport(run.train(), to: .gguf).save(to: file)
      for (section, words) in [
        (
          "{preset: rwkv7, width: 64, depth: 3}",
          "model.layers is a list of 2 there and a list of 3"
        ),
        ("{preset: rwkv7, width: 128, depth: 2}", "is 64 there and 128 in the configuration"),
        ("{preset: mamba2, width: 64, depth: 2}", "model.embedding_norm"),
      ] {
        let other = try SmallRun(in: folder, model: section)
        let error = #expect(throws: FileError.self) { try other.open("other", from: file) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
      }
    }
  }

  @Test func `rows beyond the data's symbols are a padding, and fewer symbols are refused`() throws
  {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: Self.models[0], steps: 1)
      let trained = try run.train()
      let file = folder + "/out.gguf"
      _ = try ForeignExport(trained, to: .gguf).save(to: file)
      let foreign = try #require(try ForeignFile(file))
      let count = foreign.model.vocabulary
      let weights = try foreign.weights(vocabulary: count - 2)
      let whole = try trained.tensors(of: "model.safetensors")
      for name in ["encoder.weight", "decoder.weight"] {
        let own: [Float] = try whole.values(name)
        #expect(try weights.values(name, as: Float.self) == Array(own[..<((count - 2) * 64)]))
      }
      let error = #expect(throws: FileError.self) { try foreign.weights(vocabulary: count + 1) }
      #expect(
        error?.description.contains("has \(count) symbols and the data \(count + 1)") == true)
    }
  }

  @Test func `a damaged file of any container is read or refused, cut off anywhere`() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: Self.models[3], steps: 1)
      let file = folder + "/out.gguf"
      _ = try ForeignExport(run.train(), to: .gguf).save(to: file)
      let whole = try bytes(at: file)
      for count in stride(from: 4, to: whole.count - 32, by: 97) {
        try put(Array(whole[..<count]), at: file)
        #expect(throws: FileError.self, "\(count) bytes") { try ForeignFile(file) }
      }
      // Settings that do not fit the tensors, such as a width of another number.
      for (place, byte) in zip(whole.indices.prefix(4000), whole).filter({ $0.1 > 0 }) {
        var changed = whole
        changed[place] = byte ^ 0x41
        try put(changed, at: file)
        do throws(FileError) {
          guard let foreign = try ForeignFile(file) else { continue }
          _ = try foreign.weights(vocabulary: foreign.model.vocabulary)
        } catch {
          #expect(error.exitCode == 65 && !error.description.isEmpty)
        }
      }
    }
  }

  @Test func `a file of rwkv.cpp is read, and refused where it is damaged`() throws {
    try withTemporaryFolder { folder in
      let sample = RWKVCppNetwork.samples[0]
      let weights = `Networks of other programs`.weights(sample).1
      let tensors = RWKVCppNetwork.tensors(of: sample, weights)
      var bytes: [UInt8] = []
      func append(_ numbers: Int...) {
        for number in numbers { withUnsafeBytes(of: UInt32(number)) { bytes += $0 } }
      }
      append(0x6767_6D66, 101, sample.vocabulary, sample.width, sample.depth, 0)
      var boundaries: Set = [bytes.count]
      for tensor in tensors {
        append(tensor.shape.count, tensor.name.utf8.count, 0)
        for extent in tensor.shape.reversed() { append(extent) }
        bytes += Array(tensor.name.utf8) + Array(tensor.memory)
        boundaries.insert(bytes.count)
      }
      let file = folder + "/model.bin"
      try put(bytes, at: file)
      let foreign = try #require(try ForeignFile(file))
      #expect(foreign.model.options == sample.options)
      let found = try foreign.weights(vocabulary: sample.vocabulary)
      for entry in weights.layout.entries {
        #expect(try found.values(entry.name) == Array(weights.elements(of: entry)), "\(entry.name)")
      }
      for count in stride(from: 4, to: bytes.count, by: 7) where !boundaries.contains(count) {
        try put(Array(bytes[..<count]), at: file)
        #expect(throws: FileError.self, "\(count) bytes") { try ForeignFile(file) }
      }
    }
  }

  @Test func `a folder of another network is refused, and a run's folder is none`() throws {
    try withTemporaryFolder { folder in
      try Safetensors.save([], to: folder + "/model.safetensors")
      try put(Array(#"{"model_type": "llama", "x": Infinity}"#.utf8), at: folder + "/config.json")
      let error = #expect(throws: FileError.self) { try ForeignFile(folder) }
      #expect(error?.description.contains("says model_type: llama, and import reads") == true)
      try FileManager.default.removeItem(atPath: folder + "/model.safetensors")
      #expect(try ForeignFile(folder) == nil)
    }
  }

  @Test func `settings with a key that is not UTF-8 are refused or read, and end nothing`() throws {
    try withTemporaryFolder { folder in
      try Safetensors.save([], to: folder + "/model.safetensors")
      for text in [#"{"x": NaN, ""#, #"{"x": 1,"#, #"{'model_type': 'mamba2'}"#] {
        let bytes = Array(text.utf8)
        try put(bytes + [0xC3, 0x22, 0x3A, 0xFF, 0x7D], at: folder + "/config.json")
        let error = #expect(throws: FileError.self) { try ForeignFile(folder) }
        #expect(error?.exitCode == 65, "\(error?.description ?? "")")
      }
    }
  }

  @Test func `settings without a single weight are refused`() throws {
    try withTemporaryFolder { folder in
      try Safetensors.save([], to: folder + "/model.safetensors")
      for network in ["mamba2", "xlstm", "recurrent_gemma"] {
        let settings =
          #"{"model_type": "\#(network)", "hidden_size": 64, "num_hidden_layers": 2, "embedding_dim": 64, "num_blocks": 2}"#
        try put(Array(settings.utf8), at: folder + "/config.json")
        let error = #expect(throws: FileError.self) { try ForeignFile(folder) }
        #expect(error?.exitCode == 65, "\(network): \(error?.description ?? "")")
      }
    }
  }

  @Test func `an infinite limit as transformers writes it is a number`() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: Self.models[2], steps: 1)
      let there = folder + "/there"
      _ = try ForeignExport(run.train(), to: .huggingface).save(to: there)
      let file = there + "/config.json"
      let settings = String(decoding: try bytes(at: file), as: UTF8.self)
      let limit = #"{"time_step_limit": [0.0, {"__float__": "Infinity"}], "#
      let changed = settings.replacing(/"time_step_limit"\s*:\s*\[[^\]]*\],/, with: "")
        .replacing(/^\{/, with: limit)
      try put(Array(changed.utf8), at: file)
      #expect(try ForeignFile(there) != nil)
    }
  }

  @Test
  func
    `a folder of a run keeps its settings, and a second export leaves no tokenizer of the first`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: Self.models[2], steps: 1)
      let export = try ForeignExport(run.train(), to: .huggingface)
      let there = folder + "/there"
      try FileManager.default.createDirectory(atPath: there, withIntermediateDirectories: true)
      for name in ["tokenizer.json", "tokenizer_config.json", "vocabulary.json"] {
        try put(Array("stale".utf8), at: there + "/" + name)
      }
      _ = try export.save(to: there)
      for name in try FileManager.default.contentsOfDirectory(atPath: there) {
        #expect(try bytes(at: there + "/" + name) != Array("stale".utf8), "\(name)")
      }
      try put(Array("name: a run".utf8), at: there + "/config.yaml")
      let error = #expect(throws: FileError.self) { try export.save(to: there) }
      #expect(error?.description.contains("the folder of a run") == true)
    }
  }
}
