import Collectives
import Configuration
import Formats
import Foundation
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Runs whose windows are computed again in segments.
  @Suite struct `Recomputed windows` {
    static let trials: [String: Trial] = [
      "text": Trial("training.bptt=14", "data.document=line", "training.steps=11"),
      "sequences": `Runs over sequences`.trials["windows"]!
        .with("training.bptt=null", "training.steps=7"),
      "some steps": `Runs over sequences`.trials["numbers at some steps, in windows"]!
        .with("training.bptt=null", "training.steps=7"),
    ]
    /// All of the same segments.
    static let budgets = [
      "3", "{states: 1, steps: 3}", "{states: 2, steps: 3}", "{states: 99, steps: 3}",
    ]

    @Test(arguments: World.all, trials.keys.sorted())
    func `ends with the same bytes whatever is kept`(_ world: World, _ name: String) throws {
      let trial = Self.trials[name]!
      let found = try world.run { world, folder in
        let kept = try Self.budgets.map { budget in
          let run = "recompute \(budget)"
          try trial.with("training.recompute=\(budget)").train(world, folder, run: run)
          return try Kept(folder, run: run)
        }
        let whole = try trial.train(world, folder, run: "whole")
        let last = try trial.with("training.recompute=\(Self.budgets[2])")
          .train(world, folder, run: "again")
        #expect(divergence(whole.weights, last.weights) < 1e-3)
        return kept.flatMap { $0.differences(kept[0]) }
      }
      for found in found { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all, trials.keys.sorted())
    func `resumes to the bit with few states`(_ world: World, _ name: String) throws {
      let trial = Self.trials[name]!.with("training.recompute={states: 2, steps: 3}")
      for found in try trial.differencesWhenStopped(at: [2, 5], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.all)
    func `leaves the streams where they were after a step with bad numbers`(_ world: World) throws {
      let trial = Self.trials["text"]!.with(
        "training.recompute={states: 2, steps: 3}", "training.on_nonfinite=skip",
        "checkpoint.every=1")
      let same = try world.run { world, folder in
        _ = try `Bad numbers`.train(trial, world, folder, poison: [6])
        let states = try [5, 6, 7].map {
          try Kept(folder, step: $0).tensors["hidden.safetensors"] ?? []
        }
        return [states[0] == states[1], states[1] != states[2], !states[0].isEmpty]
      }
      for found in same { #expect(found == [true, true, true]) }
    }

    @Test func `is counted before the first step`() throws {
      let told = try World.singleProcess.run { world, folder in
        try ["none", "sqrt", "{states: 3, steps: 2}", "1000000000"].map { setting in
          let trial = Trial(
            "training.bptt=96", "training.recompute=\(setting)", "model.layers.0.hidden=512",
            "training.steps=2")
          return try trial.prepare(world, folder, run: setting, rehearsal: true).memory
        }
      }[0]
      let bytes = try told.map { words in
        let found = try #require(words.firstMatch(of: /of which a window takes ([0-9]+) MiB/))
        return try #require(Int(found.1))
      }
      #expect(bytes[1] * 4 < bytes[0] && bytes[2] * 2 < bytes[1] + 4, "\(told)")
      #expect(!told[0].contains("on average") && !told[3].contains("on average"))
      // One segment, however long it may be, is the window.
      #expect(bytes[3] <= bytes[0] + 1, "\(told)")
      #expect(told[1].contains("Of its 96 steps, 10 and 9 states are kept at once"), "\(told[1])")
      #expect(told[1].contains("computed 1.9 times on average"))
      #expect(told[2].contains("Of its 96 steps, 2 and 3 states are kept at once"), "\(told[2])")
      let times = Double(RecomputationSchedule.cost(segments: 48, states: 3)) / 48
      #expect(told[2].contains("computed \((10 * times).rounded() / 10) times on average"))
    }

    @Test(
      arguments: [
        ("{states: 0}", "states must be from 1 to"),
        ("{states: 5000000000}", "states must be from 1 to"),
        ("5000000000", "recompute is none, sqrt, a number of steps"),
        ("{steps: 4}", "needs the key \"states\""),
        ("{states: 2, steps: 0}", "steps must be at least 1"),
        ("{states: 2, step: 3}", "step"), ("all", "recompute is none, sqrt, a number of steps"),
        ("0", "recompute is none, sqrt, a number of steps"), ("[3]", "expected a mapping"),
      ])
    func `is refused in one sentence where it does not fit`(_ setting: String, _ words: String) {
      let error = #expect(throws: ConfigurationError.self) {
        try Trial("training.recompute=\(setting)").options("")
      }
      #expect(error.map { "\($0)".contains(words) } == true, "\(error.map { "\($0)" } ?? "none")")
    }
  }
}
