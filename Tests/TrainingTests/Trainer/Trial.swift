import Collectives
import Foundation
import Logging
import Synchronization
import Testing
import Training

/// A run of a small model on a generated text: a configuration with some keys changed.
///
/// Streams, steps, and all widths are different numbers; two cells are mixed, and dropout is on.
struct Trial: Sendable {
  var yaml = """
    name: trial
    seed: 7
    data: {train: FOLDER/train.txt, tokenizer: character}
    model:
      embedding: 5
      dropout: 0.3
      layers:
        - {cell: lstm, hidden: 7}
        - {cell: gru, hidden: 6}
    training:
      batch_size: 4
      bptt: 5
      steps: 23
      optimizer: {rule: adam}
      schedule: {learning_rate: 0.01}
      clip: {norm: 1}
    checkpoint: {every: 1000, keep: 1000}
    """
  /// Assignments as on the command line; FOLDER is the folder of the test.
  var settings: [String]
  /// Texts that are written into the folder first.
  var texts = ["train.txt": text(403, seed: 1), "valid.txt": text(131, seed: 2)]

  init(_ settings: String...) { self.settings = settings }

  /// The same with more keys changed.
  func with(_ more: String...) -> Trial {
    var trial = self
    trial.settings += more
    return trial
  }

  func options(_ folder: String) throws -> RunOptions {
    var configuration = try Configuration(
      yaml: yaml.replacing("FOLDER", with: folder), file: "trial.yaml")
    for setting in settings {
      try configuration.set(setting.replacing("FOLDER", with: folder))
    }
    return try configuration.decode(RunOptions.self)
  }

  /// Sets up a run in a folder, without a step. Collective.
  func prepare(
    _ world: any Communicator, _ folder: String, run name: String = "run", resume: Resume = .auto,
    initFrom: String? = nil, rehearsal: Bool = false, journal: Journal = Journal(),
    diagnosingEvery every: Int? = nil
  ) throws -> Training.Run {
    if world.isRoot {
      for (name, text) in texts {
        let file = URL(filePath: folder + "/" + name)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file, options: .atomic)
      }
    }
    try world.barrier()
    let request = RunRequest(
      try options(folder), given: yaml, folder: RunFolder(folder + "/" + name), resume: resume,
      initFrom: initFrom, isRehearsal: rehearsal, diagnosingEvery: every)
    return try Training.Run(request, world: world, log: journal.logger)
  }

  /// Trains in a folder, to the end or until a rank is asked to stop. Collective.
  /// - Parameter stop: the step that the last rank is asked to stop at.
  @discardableResult
  func train(
    _ world: any Communicator, _ folder: String, run name: String = "run", stop: Int? = nil,
    resume: Resume = .auto, initFrom: String? = nil, journal: Journal = Journal(),
    diagnosingEvery every: Int? = nil
  ) throws -> Ending {
    let run = try prepare(
      world, folder, run: name, resume: resume, initFrom: initFrom, journal: journal,
      diagnosingEvery: every)
    let trainer = run.trainer
    if let stop, world.rank == world.size - 1 {
      trainer.isAskedToStop = { [unowned trainer] in
        trainer.isTakingStep && trainer.coordinator.state.step == stop - 1
      }
    }
    let outcome = try run.train()
    // The root may still be writing.
    try world.barrier()
    return Ending(
      outcome: outcome, step: trainer.coordinator.state.step,
      weights: Array(trainer.weights.buffer.elements()))
  }
}

/// How a run ended on one rank.
struct Ending: Equatable, Sendable {
  let outcome: Outcome
  let step: Int
  let weights: [Float]
}

/// What a checkpoint says, all but times and names of processes.
struct Kept: Equatable, Sendable {
  var tensors: [String: [UInt8]] = [:]
  var state: [String: JSONValue] = [:]

  /// The checkpoint of a step, the latest unless one is given.
  init(_ folder: String, run name: String = "run", step: Int? = nil) throws {
    let store = CheckpointStore(folder + "/" + name + "/checkpoints")
    let path = store.path(ofStep: try step ?? #require(store.latest))
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
  func differences(_ other: Kept) -> [String] {
    let names = Set(tensors.keys).union(other.tensors.keys).filter {
      tensors[$0] != other.tensors[$0]
    }
    let keys = Set(state.keys).union(other.state.keys).filter { state[$0] != other.state[$0] }
    return names.sorted() + keys.sorted()
  }
}

/// The lines of metrics.jsonl.
struct Metrics: Sendable {
  let lines: [JSONValue]

  init(_ folder: String, run name: String = "run") throws {
    lines = try bytes(at: folder + "/" + name + "/metrics.jsonl")
      .split(separator: UInt8(ascii: "\n"))
      .map { try JSONDecoder().decode(JSONValue.self, from: Data($0)) }
  }

  /// The lines that have a key.
  func having(_ key: String) -> [JSONValue] { lines.filter { $0[key] != nil } }

  /// The numbers of a key, in the order of the lines.
  func values(_ key: String) -> [Double] { having(key).compactMap { $0[key]?.double } }

  /// The steps of the lines that have a key.
  func steps(_ key: String) -> [Int] {
    having(key).compactMap { $0["step"]?.double.map { Int($0) } }
  }

  /// Every line without what differs from run to run, the times.
  var withoutTimes: [[String: JSONValue]] {
    lines.map { line in
      guard case .object(let members) = line else { return [:] }
      return members.filter {
        !$0.key.hasSuffix("_seconds") && $0.key != "tokens_per_second" && $0.key != "time"
      }
    }
  }
}

/// Keeps what a run logs.
final class Journal: Sendable {
  private let kept = Mutex<[String]>([])
  var lines: [String] { kept.withLock { $0 } }

  var logger: Logger { Logger(label: "test") { _ in Handler(journal: self) } }

  private struct Handler: LogHandler {
    let journal: Journal
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    init(journal: Journal) { self.journal = journal }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      journal.kept.withLock { $0.append("\(event.level): \(event.message)") }
    }
  }
}

/// A text of `count` characters with something to learn in it: a letter often follows the one before.
func text(_ count: Int, seed: UInt32) -> String {
  let symbols = Array("abcdefgh \n")
  var (state, place) = (seed, 0)
  var text = ""
  for _ in 0..<count {
    state = state &* 1_664_525 &+ 1_013_904_223
    place =
      state >> 24 < 160 ? (place + 1) % symbols.count : Int(state >> 16 & 0xff) % symbols.count
    text.append(symbols[place])
  }
  return text
}

/// The largest relative difference of two curves.
func divergence(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { abs($0 - $1) / max(abs($0), abs($1), 1e-9) }.max() ?? 0
}

func divergence(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .infinity }
  let scale = a.map { abs($0) }.max() ?? 1
  return zip(a, b).map { Double(abs($0 - $1) / scale) }.max() ?? 0
}
