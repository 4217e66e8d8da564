import Checkpointing
import Collectives
import Configuration
import Exchange
import Formats
import Foundation
import Inference
import NumericalTestSupport
import Recurrence
import TestSupport

extension Reader {
  /// Configurations: those of the folder `configs`, and some that YAML makes large.
  static let configuration = Reader(name: "configuration") { _ in
    let folder = packageRoot.path + "/configs"
    var texts = try contents(folder).filter { $0.hasSuffix(".yaml") }
      .map { try bytes(at: folder + "/" + $0) }
    // Names of names: each is ten of the one before.
    let names = (1..<9).map { i in
      "a\(i): &a\(i) [\((0..<10).map { _ in "*a\(i - 1)" }.joined(separator: ", "))]\n"
    }
    texts.append(Array(("a0: &a0 [1]\n" + names.joined()).utf8))
    texts.append(Array("data: {train: a}\nmodel: &m {layers: [*m]}\n".utf8))
    texts.append(Array((String(repeating: "a: {", count: 3000)).utf8))
    return texts.enumerated().map { place, text in
      Subject(files: ["run.yaml": text], damaged: Subject.anyFile) { folder in
        do {
          let options = try Configuration.decode(RunOptions.self, from: [folder + "/run.yaml"])
          _ = try ResolvedConfiguration.json(options)
        } catch let error as ConfigurationError where place >= texts.count - 3 {
          // These three are refused without damage too.
          _ = "\(error)"
        }
      }
    }
  }

  /// Checkpoints whose manifest has the right checksums of damaged files, and a right one of its own.
  static let checkpoint = Reader(name: "checkpoint") { folder in
    let models = [
      "{embedding: 4, layers: [{cell: lstm, hidden: 5, dropout: 0.2}]}",
      "{preset: mamba2, width: 4, depth: 1}",
    ]
    return try models.map { model in
      let home = folder + "/\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
      let run = try SmallRun(in: home, model: model, training: "optimizer: {rule: adam}", steps: 2)
      let path = try run.train().path
      let files = Dictionary(
        uniqueKeysWithValues: try contents(path).map { ($0, try bytes(at: path + "/" + $0)) })
      // PyTorch has no module for the networks of presets.
      let isPreset = model.contains("preset")
      return Subject(files: files, damaged: damagedCheckpoint) { folder in
        let problems = Checkpoint.verify(folder)
        let checkpoint = try Checkpoint(verifying: folder)
        if let problem = problems.first { throw problem }
        _ = try CheckpointInspection(checkpoint).words
        guard try checkpoint.interface().isRunning else { return }
        let (model, weights, vocabulary) = try checkpoint.model()
        _ = try LineScorer(model, weights: weights, vocabulary: vocabulary).score(
          ["a b c"], given: [DecoderInput()])
        if !isPreset { _ = try PyTorchExport(checkpoint) }
      }
    }
  }

  @Sendable private static func damagedCheckpoint(
    _ files: Subject.Files, _ random: inout RandomDamage
  ) -> Subject.Files {
    let state = "state.json"
    switch random.below(8) {
    case 0: return damagedHeaders(files, &random)
    case 1...4: return [state: sealed(random.damagedText(files[state]!))]
    default:
      let names = files.keys.filter { $0 != state }.sorted()
      let name = names[random.below(names.count)]
      var changed = damagedHeaders([name: files[name]!], &random)
      changed[state] = sealed(manifest(files[state]!, of: name, changed[name]!))
      return changed
    }
  }

  /// The manifest with the size and the checksum of another file in the place of those of `name`.
  private static func manifest(_ state: [UInt8], of name: String, _ bytes: [UInt8]) -> [UInt8] {
    let text = String(decoding: state, as: UTF8.self)
    guard var value = try? JSONDecoder().decode(JSONValue.self, from: Data(state)),
      case .object(var members) = value, case .array(let files)? = members["files"]
    else { return Array(text.utf8) }
    members["files"] = .array(
      files.map { file in
        guard case .object(var entry) = file, entry["name"] == .string(name) else { return file }
        entry["size"] = .integer(bytes.count)
        entry["crc32"] = .string(hexadecimal(checksum(bytes)))
        return .object(entry)
      })
    members["crc32"] = nil
    value = .object(members)
    let encoder = JSONEncoder()
    let body = (try? encoder.encode(value)).map { String(decoding: $0.dropFirst(), as: UTF8.self) }
    return Array(("{\n  \"crc32\" : \"00000000\",\n" + (body ?? "}")).utf8)
  }

  /// The right checksum on a `state.json`, if it begins with one.
  private static func sealed(_ state: [UInt8]) -> [UInt8] {
    var bytes = state
    let place = "{\n  \"crc32\" : \"".utf8.count
    guard bytes.count > place + 8 else { return bytes }
    bytes.replaceSubrange(place..<place + 8, with: "00000000".utf8)
    bytes.replaceSubrange(place..<place + 8, with: hexadecimal(checksum(bytes)).utf8)
    return bytes
  }
}
