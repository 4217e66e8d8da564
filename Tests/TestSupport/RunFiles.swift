internal import Checkpointing
internal import Configuration
package import Formats
internal import Foundation
internal import Training

/// The contents of a checkpoint, all but times and names of processes.
package struct Kept: Equatable, Sendable {
  package var tensors: [String: [UInt8]] = [:]
  package var state: [String: JSONValue] = [:]

  /// The checkpoint of a step, the latest unless one is given.
  package init(_ folder: String, run name: String = "run", step: Int? = nil) throws {
    let store = CheckpointStore(folder + "/" + name + "/checkpoints")
    guard let step = step ?? store.latest else { throw NoCheckpoint(folder: store.directory) }
    let path = store.path(ofStep: step)
    let checkpoint = try Checkpoint(verifying: path)
    for file in checkpoint.state.files where file.name.hasSuffix(".safetensors") {
      tensors[file.name] = try checkpoint.bytes(of: file.name)
    }
    let state = checkpoint.state
    self.state = [
      "step": .integer(state.step), "epoch": .integer(state.epoch),
      "tokens": .integer(state.tokens), "streams": state.streams, "random": state.random,
      "schedule": state.schedule, "plateau": state.plateau, "early_stop": state.earlyStop,
    ]
  }

  /// Names of what is not the same in another checkpoint.
  package func differences(_ other: Kept) -> [String] {
    let names = Set(tensors.keys).union(other.tensors.keys).filter {
      tensors[$0] != other.tensors[$0]
    }
    let keys = Set(state.keys).union(other.state.keys).filter { state[$0] != other.state[$0] }
    return names.sorted() + keys.sorted()
  }
}

/// A folder in which no checkpoint is named the latest.
package struct NoCheckpoint: Error { package let folder: String }

/// The lines of metrics.jsonl.
package struct Metrics: Sendable {
  package let lines: [JSONValue]

  package init(_ folder: String, run name: String = "run") throws {
    lines = try bytes(at: folder + "/" + name + "/metrics.jsonl")
      .split(separator: UInt8(ascii: "\n"))
      .map { try JSONDecoder().decode(JSONValue.self, from: Data($0)) }
  }

  /// The lines that have a key.
  package func having(_ key: String) -> [JSONValue] { lines.filter { $0[key] != nil } }

  /// The numbers of a key, in the order of the lines.
  package func values(_ key: String) -> [Double] { having(key).compactMap { $0[key]?.double } }

  /// The steps of the lines that have a key.
  package func steps(_ key: String) -> [Int] {
    having(key).compactMap { $0["step"]?.double.map { Int($0) } }
  }

  /// Every line without what differs from run to run: the times, and lines of checkpoints, which are written
  /// in the background.
  package var withoutTimes: [[String: JSONValue]] {
    lines.filter { $0["checkpoint_step"] == nil }.map { line in
      guard case .object(let members) = line else { return [:] }
      return members.filter {
        !$0.key.hasSuffix("_seconds")
          && ![
            "tokens_per_second", "time", "hidden_share", "imbalance", "slowest_rank",
            "slowest_host",
          ].contains($0.key)
      }
    }
  }
}

/// The names of what is not the same in a run as in the one called "whole" beside it: metrics, and parts
/// of the last checkpoints.
package func differencesFromWhole(_ folder: String, run name: String = "run") throws -> [String] {
  let (a, b) = try (Metrics(folder, run: name), Metrics(folder, run: "whole"))
  return (a.withoutTimes == b.withoutTimes ? [] : ["metrics"])
    + (try Kept(folder, run: name).differences(Kept(folder, run: "whole")))
}
