internal import Checkpointing
package import Collectives
package import Configuration
internal import Formats
internal import Foundation
package import Runs
package import Training

/// A run of a small model on a generated text: a configuration with some keys changed.
///
/// Streams, steps, and all widths are different numbers; two cells are mixed, and dropout is on.
package struct Trial: Sendable {
  package var yaml = """
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
  package var settings: [String]
  /// Texts that are written into the folder first.
  package var texts = ["train.txt": text(403, seed: 1), "valid.txt": text(131, seed: 2)]

  /// Texts that are written into the folder as token shards of bytes, whose documents are lines.
  package var shards: [String: String] = [:]

  /// Makes the sum of gradients over ranks.
  package var reducer: @Sendable (ReducerRequest) -> any GradientReducer = {
    makeGradientReducer($0)
  }

  package init(_ settings: String...) { self.settings = settings }

  /// The same with a text of so many characters to test on.
  package func testing(on count: Int) -> Trial {
    var trial = with("data.test=FOLDER/test.txt")
    trial.texts["test.txt"] = text(count, seed: 3)
    return trial
  }

  /// The same with more keys changed.
  package func with(_ more: String...) -> Trial {
    var trial = self
    trial.settings += more
    return trial
  }

  package func options(_ folder: String) throws -> RunOptions {
    var configuration = try Configuration(
      yaml: yaml.replacing("FOLDER", with: folder), file: "trial.yaml")
    for setting in settings {
      try configuration.set(setting.replacing("FOLDER", with: folder))
    }
    return try configuration.decode(RunOptions.self)
  }

  /// Sets up a run in a folder, without a step. Collective.
  package func prepare(
    _ world: any Communicator, _ folder: String, run name: String = "run", resume: Resume = .auto,
    initFrom: String? = nil, rehearsal: Bool = false, journal: Journal = Journal(),
    diagnosingEvery every: Int? = nil
  ) throws -> Runs.Run {
    if world.isRoot {
      for (name, text) in texts {
        let file = URL(filePath: folder + "/" + name)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file, options: .atomic)
      }
      for (name, text) in shards { try writeShard(folder + "/" + name, of: text) }
    }
    try world.barrier()
    let request = RunRequest(
      try options(folder), given: yaml, folder: RunFolder(folder + "/" + name), resume: resume,
      initFrom: initFrom, isRehearsal: rehearsal, diagnosingEvery: every)
    return try Runs.Run(request, world: world, log: journal.logger, reducer: reducer)
  }

  /// Trains in a folder, to the end or until a rank is asked to stop. Collective.
  /// - Parameter stop: the step that the last rank is asked to stop at.
  @discardableResult
  package func train(
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
package struct Ending: Equatable, Sendable {
  package let outcome: Outcome
  package let step: Int
  package let weights: [Float]
}

/// A text of `count` characters with something to learn in it: a letter often follows the one before.
package func text(_ count: Int, seed: UInt32) -> String {
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
package func divergence(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { abs($0 - $1) / max(abs($0), abs($1), 1e-9) }.max() ?? 0
}

package func divergence(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .infinity }
  let scale = a.map { abs($0) }.max() ?? 1
  return zip(a, b).map { Double(abs($0 - $1) / scale) }.max() ?? 0
}
