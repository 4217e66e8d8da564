import Checkpointing
import Configuration
import Exchange
import Formats
import Foundation
import LinearAlgebra
import Recurrence
import TestSupport
import Tools

extension Reader {
  static let cluster = Reader(name: "cluster") { _ in
    let texts = [
      """
      processor: A
      gflops: 80
      memory: {rank: 10, node: 100}
      ranks_per_node: 4
      nodes: 3
      link: {gigabits: 1}
      """,
      """
      sites:
        - {name: here, nodes: 2, ranks_per_node: 4, up: 1, down: 2}
        - {name: there, nodes: 1, ranks_per_node: 16, up: 0.5, down: 0.5}
      gflops: {output: 80, input: 70, recurrent: 60}
      memory: {rank: 10}
      ranks_per_node: 2
      link: {gigabits: 10}
      """,
    ]
    return texts.map { text in
      Subject(files: ["cluster.yaml": Array(text.utf8)], damaged: Subject.anyFile) {
        _ = try ClusterDescription(file: $0 + "/cluster.yaml").ranks
      }
    }
  }

  static let safetensors = Reader(name: "safetensors") { folder in
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let path = folder + "/a.safetensors"
    let tensors = [
      Tensor("rnn.weight_hh_l0", shape: [7, 5], copying: (0..<35).map { Float($0) }),
      Tensor("bytes", shape: [3], copying: [0, 1, 255] as [UInt8]),
      Tensor("empty", shape: [0, 4], copying: [Float]()),
      Tensor("cursor", shape: [3], copying: [0, 1 << 40, -3] as [Int64]),
      Tensor("tokens", shape: [2, 3], copying: [1, 2, 3, -4, 5, 6] as [Int32]),
    ]
    try Safetensors.save(tensors, metadata: ["a": "1", "b\t": "é"], to: path)
    let whole = try bytes(at: path)
    return [
      Subject(files: ["a.safetensors": whole], damaged: damagedHeaders) { folder in
        let file = try SafetensorsFile(folder + "/a.safetensors")
        var sum: UInt8 = 0
        for tensor in file.tensors { for byte in tensor.memory { sum ^= byte } }
        _ = (sum, try? file.values("rnn.weight_hh_l0", as: Float.self))
      }
    ]
  }

  /// Damages any file of a set; of one of safetensors the header most times, with the right length before it.
  @Sendable static func damagedHeaders(
    _ files: Subject.Files, _ random: inout RandomDamage
  ) -> Subject.Files {
    let names = files.keys.sorted()
    let name = names[random.below(names.count)]
    guard name.hasSuffix(".safetensors"), random.below(4) > 0 else {
      return Subject.anyFile([name: files[name]!], &random)
    }
    return [name: damagedHeader(files[name]!, &random)]
  }

  static func damagedHeader(_ bytes: [UInt8], _ random: inout RandomDamage) -> [UInt8] {
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let header = random.damagedText(Array(bytes[8..<8 + length]))
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
      + bytes[(8 + length)...]
  }

  static let gguf = Reader(name: "gguf") { folder in
    try foreign(folder, [("{preset: mamba2, width: 4, depth: 1}", .gguf, "out.gguf")])
      + foreign(folder, [("{preset: rwkv7, width: 64, depth: 1}", .gguf, "out.gguf")])
  }

  static let folders = Reader(name: "folders") { folder in
    try foreign(
      folder,
      [
        ("{preset: mamba2, width: 4, depth: 1}", .huggingface, "out"),
        ("{preset: hawk, width: 8, depth: 3}", .huggingface, "out"),
        ("{preset: xlstm-7b, width: 8, depth: 1}", .huggingface, "out"),
        ("{preset: rwkv7, width: 64, depth: 1}", .rwkv, "out.safetensors"),
      ])
  }

  /// Exports of small models, read as `unroll import` does.
  private static func foreign(
    _ folder: String, _ kinds: [(model: String, container: ForeignContainer, name: String)]
  ) throws -> [Subject] {
    try kinds.map { kind in
      let home = folder + "/\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
      let trained = try SmallRun(in: home, model: kind.model, steps: 1).train()
      _ = try ForeignExport(trained, to: kind.container).save(to: home + "/" + kind.name)
      let names =
        kind.name == "out" ? try contents(home + "/out").map { "out/" + $0 } : [kind.name]
      let files = Dictionary(
        uniqueKeysWithValues: try names.map { ($0, try bytes(at: home + "/" + $0)) })
      return Subject(files: files, damaged: damagedHeaders) { folder in
        guard let file = try ForeignFile(folder + "/" + kind.name) else { return }
        _ = try file.modelSection()
        _ = try file.weights(vocabulary: file.model.vocabulary)
      }
    }
  }

  /// Files with PyTorch's names.
  static let weights = Reader(name: "weights") { folder in
    try SmallRun.exportable.map { model in
      let home = folder + "/\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
      let run = try SmallRun(in: home, model: model, steps: 1)
      let trained = try run.train()
      let (network, _, _) = try trained.model()
      try PyTorchExport(trained).save(to: home + "/a.safetensors")
      let files = ["a.safetensors": try bytes(at: home + "/a.safetensors")]
      return Subject(files: files, damaged: damagedHeaders) { folder in
        let weights = ParameterVector(ParameterLayout(network.plan))
        try SafetensorsFile(folder + "/a.safetensors").load(network, into: weights)
      }
    }
  }
}
