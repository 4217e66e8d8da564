import Collectives
import Formats
import Foundation
import TestSupport
import Testing
import Training

/// The files of TensorBoard, decoded by their format alone.
@Suite struct `Files of TensorBoard` {
  /// A field of a message of Protocol Buffers.
  private enum Field {
    case varint(UInt64)
    case number(Double)
    case bytes([UInt8])

    var bytes: [UInt8] { if case .bytes(let bytes) = self { bytes } else { [] } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
    var varint: UInt64? { if case .varint(let number) = self { number } else { nil } }
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  private static func little(_ bytes: some Collection<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func fields(_ bytes: [UInt8]) -> [Int: [Field]] {
    var found: [Int: [Field]] = [:]
    var rest = bytes[...]
    func varint() -> UInt64 {
      var (value, shift): (UInt64, UInt64) = (0, 0)
      while let byte = rest.popFirst() {
        value |= UInt64(byte & 127) << shift
        shift += 7
        if byte < 128 { break }
      }
      return value
    }
    while !rest.isEmpty {
      let key = varint()
      let field: Field
      switch key & 7 {
      case 0: field = .varint(varint())
      case 1:
        field = .number(Double(bitPattern: little(rest.prefix(8))))
        rest = rest.dropFirst(8)
      case 5:
        field = .number(Double(Float(bitPattern: UInt32(little(rest.prefix(4))))))
        rest = rest.dropFirst(4)
      default:
        let count = Int(varint())
        field = .bytes(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      found[Int(key >> 3), default: []].append(field)
    }
    return found
  }

  /// The values of all summaries of a run, with their steps.
  private static func values(_ run: String) throws -> [(step: Int, tag: String, [Int: [Field]])] {
    let folder = run + "/tensorboard"
    var found: [(step: Int, tag: String, [Int: [Field]])] = []
    for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
      var rest = try bytes(at: folder + "/" + file)[...]
      while !rest.isEmpty {
        let count = Int(little(rest.prefix(8)))
        let event = fields(Array(rest.dropFirst(12).prefix(count)))
        rest = rest.dropFirst(16 + count)
        for value in event[5].map({ fields($0[0].bytes)[1] ?? [] }) ?? [] {
          let parts = fields(value.bytes)
          found.append((Int(event[2]?[0].varint ?? 0), parts[1]?[0].text ?? "", parts))
        }
      }
    }
    return found
  }

  /// The content of a message for the page of hyperparameters.
  private static func plugin(_ value: [Int: [Field]]) -> [Int: [Field]] {
    let data = fields(fields(value[9]?[0].bytes ?? [])[1]?[0].bytes ?? [])
    #expect(data[1]?[0].text == "hparams")
    return fields(data[2]?[0].bytes ?? [])
  }

  private static let trial = Trial(
    "data.valid=FOLDER/valid.txt", "evaluation={every: 6, batch_size: 2}", "training.clip=null")

  /// Worlds in which ranks have all weights, a slice of them, and both on several hosts.
  static let worlds: [(World, String)] =
    World.all.map { ($0, "communication.node=auto") }
    + [
      (.threads(3), "communication.node=shared"),
      (.hosts(threads: 4, ranksPerHost: 2), "communication.node=shared"),
      (
        .hosts(threads: 4, ranksPerHost: 2),
        "communication={node: shared, shard_optimizer: true}"
      ), (.threads(2), "communication.shard_optimizer=true"),
    ].filter { _ in !World.isLaunched }

  @Test(arguments: worlds.indices)
  func `Histograms of the gradient have its norm`(_ index: Int) throws {
    let (world, setting) = Self.worlds[index]
    let trial = Self.trial
    let all = try world.run { world, folder in
      try trial.with(setting).train(world, folder)
      var squares: [Int: Double] = [:]
      var (numbers, weights): ([Int: Double], [Int: Double]) = ([:], [:])
      for (step, tag, value) in try Self.values(folder + "/run") {
        let histogram = Self.fields(value[5]?[0].bytes ?? [])
        if tag.hasPrefix("weights/") {
          weights[step, default: 0] += histogram[3]?[0].number ?? .nan
        }
        guard tag.hasPrefix("gradients/") else { continue }
        squares[step, default: 0] += histogram[5]?[0].number ?? .nan
        numbers[step, default: 0] += histogram[3]?[0].number ?? .nan
      }
      let lines = try Metrics(folder).having("gradient_norm")
      var norms: [Int: Double] = [:]
      for line in lines {
        norms[Int(line["step"]?.double ?? 0)] = line["gradient_norm"]?.double ?? .nan
      }
      try world.barrier()
      return (squares, numbers, weights, norms)
    }
    for (squares, numbers, weights, norms) in all {
      #expect(squares.keys.sorted() == [6, 12, 18, 23])
      // Each number of each parameter once.
      #expect(Set(numbers.values).count == 1 && numbers == weights)
      for (step, square) in squares {
        let norm = norms[step] ?? .nan
        #expect(abs(square.squareRoot() - norm) <= 1e-4 * norm, "step \(step)")
      }
    }
  }

  @Test func `Outer steps have no histograms of a gradient`() throws {
    let trial = Self.trial.with("communication.outer={every: 4, rule: nesterov}")
    let tags = try World.threads(2).run { world, folder in
      try trial.train(world, folder)
      return try Self.values(folder + "/run").map(\.tag)
    }[0]
    #expect(tags.contains { $0.hasPrefix("weights/") })
    #expect(!tags.contains { $0.hasPrefix("gradients/") })
  }

  @Test func `A last evaluation by tokens has a gradient as well`() throws {
    let trial = Self.trial.with(
      "training.steps=null", "training.tokens=90", "evaluation.every=1000")
    let steps = try World.singleProcess.run { world, folder in
      let ending = try trial.train(world, folder)
      let found = try Self.values(folder + "/run").filter { $0.tag.hasPrefix("gradients/") }
      return (ending.step, Set(found.map(\.step)))
    }[0]
    #expect(steps.1 == [steps.0])
  }

  @Test(arguments: [("complete", 23, 1), ("interrupted", 5, nil), ("diverged", 23, 2)])
  func `Settings and the end of a run are told`(
    _ outcome: String, _ stop: Int, _ status: UInt64?
  ) throws {
    // The loss is not finite after a step of this size.
    let trial =
      outcome == "diverged"
      ? Self.trial.with("training.schedule.learning_rate=1e38", "training.optimizer.rule=sgd")
      : Self.trial
    let values = try World.singleProcess.run { world, folder in
      _ = try trial.train(world, folder, stop: stop == 23 ? nil : stop)
      return try Self.values(folder + "/run").map { ($0.tag, $0.2) }
    }[0]
    let start = try #require(values.first { $0.0 == "_hparams_/session_start_info" })
    let session = Self.fields(Self.plugin(start.1)[3]?[0].bytes ?? [])
    var settings: [String: [Int: [Field]]] = [:]
    for entry in session[1] ?? [] {
      let pair = Self.fields(entry.bytes)
      settings[pair[1]?[0].text ?? ""] = Self.fields(pair[2]?[0].bytes ?? [])
    }
    #expect(settings["seed"]?[2]?[0].number == 7)
    #expect(settings["model.layers.0.cell"]?[3]?[0].text == "lstm")
    #expect(settings["model.layers.1.hidden"]?[2]?[0].number == 6)
    let end = values.first { $0.0 == "_hparams_/session_end_info" }
    let found = end.map { Self.fields(Self.plugin($0.1)[4]?[0].bytes ?? [])[1]?[0].varint ?? 0 }
    #expect(found == status)
  }
}
