import Checkpointing
import Collectives
import Configuration
import Datasets
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `A run` {
    /// Returns the error of every rank for a run that is refused: one rank names it, the others know of it.
    static func refusal(
      _ world: World, _ body: @escaping @Sendable (any Communicator, String) throws -> Void
    ) throws -> [(message: String, speaks: Bool, code: Int32)] {
      try world.run { world, folder in
        do {
          try body(world, folder)
          return ("nothing was refused", false, 0)
        } catch let error as FailedElsewhere {
          return (error.message, false, 0)
        } catch {
          return ("\(error)", true, ExitStatus.of(error))
        }
      }
    }

    @Test(arguments: World.all)
    func `refuses a used folder unless it is told to resume`(_ world: World) throws {
      let found = try Self.refusal(world) { world, folder in
        try Trial("training.steps=3").train(world, folder, resume: .none)
        try Trial("training.steps=3").train(world, folder, resume: .none)
      }
      for (message, speaks, code) in found {
        #expect(message.contains("holds a run already"))
        if speaks { #expect(code == ExitStatus.usage) }
      }
      if !World.isLaunched { #expect(found.count { $0.speaks } == 1) }
    }

    static let others: [(String, String)] = [
      ("data.train=FOLDER/valid.txt", "another text"),
      ("data.vocabulary={size: 9}", "another vocabulary"),
      ("model.layers.1.hidden=8", "another model (changed: model.layers.1.hidden)"),
      ("training.batch_size=7", "another batch_size (4)"),
      ("seed=8", "another seed (7)"),
    ]

    @Test(
      arguments: World.all,
      others.map(\.0))
    func `refuses to go on with other data, another model, batch_size or seed`(
      _ world: World, _ setting: String
    ) throws {
      let words = Self.others.first { $0.0 == setting }!.1
      let found = try Self.refusal(world) { world, folder in
        try Trial("training.steps=3").train(world, folder)
        try Trial("training.steps=9", setting).train(world, folder)
      }
      for (message, speaks, code) in found {
        #expect(message.contains("was made with \(words): "))
        #expect(!message.contains("\n"))
        if speaks { #expect(code == ExitStatus.data) }
      }
    }

    @Test(arguments: World.all)
    func `refuses settings that its data or the rest of it leave idle`(_ world: World) throws {
      for (setting, key) in [
        ("model.condition=first_input", "model.condition"),
        ("training.early_stop={patience: 2}", "training.early_stop"),
      ] {
        let found = try Self.refusal(world) { world, folder in
          _ = try Trial(setting).prepare(world, folder)
        }
        for (message, speaks, code) in found {
          #expect(message.hasPrefix("\(key) would do nothing, because "))
          if speaks { #expect(code == ExitStatus.usage) }
        }
      }
    }

    @Test(arguments: World.all)
    func `refuses a folder in which another run trains`(_ world: World) throws {
      let found = try Self.refusal(world) { world, folder in
        let first = try Trial().prepare(world, folder)
        defer { withExtendedLifetime(first) {} }
        try Trial().train(world, folder)
      }
      for (message, speaks, code) in found {
        #expect(message.contains("in use by another run"))
        if speaks { #expect(code == ExitStatus.inUse) }
      }
      // And takes it once that one has ended.
      let endings = try world.run { world, folder in
        do { _ = try Trial("training.steps=4").prepare(world, folder) }
        try world.barrier()
        return try Trial("training.steps=4").train(world, folder).outcome
      }
      for outcome in endings { #expect(outcome == .complete) }
    }

    @Test(arguments: World.all)
    func `A rehearsal writes nothing but encoded texts, and finds what is wrong`(
      _ world: World
    ) throws {
      let results = try world.run { world, folder in
        do { _ = try Trial().prepare(world, folder, rehearsal: true) }
        try world.barrier()
        let fresh = try contents(folder + "/run")
        try world.barrier()
        try Trial().train(world, folder, run: "used", stop: 5)
        let before = try Self.tree(folder + "/used")
        try world.barrier()
        do { _ = try Trial().prepare(world, folder, run: "used", rehearsal: true) }
        try world.barrier()
        let after = try Self.tree(folder + "/used")
        return (
          fresh,
          after.keys.filter { before[$0] != after[$0] } + before.keys.filter { after[$0] == nil }
        )
      }
      for (fresh, changed) in results {
        #expect(fresh == ["data"])
        #expect(changed == [])
      }
      let found = try Self.refusal(world) { world, folder in
        try Trial().train(world, folder, stop: 5)
        _ = try Trial("seed=8").prepare(world, folder, rehearsal: true)
      }
      for (message, _, _) in found { #expect(message.contains("another seed")) }
    }

    /// Every file of a run and what is in it, but for encoded texts.
    static func tree(_ folder: String) throws -> [String: [UInt8]] {
      var files: [String: [UInt8]] = [:]
      for case let name as String in FileManager.default.enumerator(atPath: folder)!
      where !name.hasPrefix("data/") {
        files[name] = (try? bytes(at: folder + "/" + name)) ?? []
      }
      return files
    }

    @Test(arguments: World.all)
    func `that starts from other weights on another text has their symbols, and can be resumed`(
      _ world: World
    ) throws {
      let trial = Trial("training.steps=14")
      var other = trial.with("data.train=FOLDER/other.txt")
      // Fewer symbols, so that a vocabulary of its own would be another one.
      other.texts["other.txt"] = text(300, seed: 9).replacing("h", with: "a")
      let fixed = other
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        let source = folder + "/run"
        let first = try trial.train(world, folder)
        let run = try fixed.prepare(world, folder, run: "tuned", initFrom: source)
        if Array(run.trainer.weights.buffer.elements()) != first.weights { found.append("weights") }
        if run.trainer.coordinator.state.step != 0 { found.append("step") }
        try world.barrier()
        let whole = try fixed.train(world, folder, run: "whole", initFrom: source)
        try fixed.train(world, folder, run: "cut", stop: 6, initFrom: source)
        let cut = try fixed.train(world, folder, run: "cut", initFrom: source)
        if cut != whole { found.append("\(cut.outcome)") }
        return found + (try Kept(folder, run: "cut").differences(Kept(folder, run: "whole")))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `Lines of metrics beyond the checkpoint are written anew, broken ones too`(
      _ world: World
    ) throws {
      let trial = Trial(
        "data.valid=FOLDER/valid.txt", "evaluation={every: 4, batch_size: 2, bptt: 9}")
      let results = try world.run { world, folder -> [String] in
        try trial.train(world, folder, run: "whole")
        let whole = try Metrics(folder, run: "whole").withoutTimes
        try trial.train(world, folder, stop: 10)
        if world.isRoot {
          // As a killed run leaves it: steps after the last checkpoint, the last line unfinished.
          let path = folder + "/run/metrics.jsonl"
          var text = try bytes(at: path)
          for step in 11...13 { text += Array("{\"step\":\(step),\"loss\":9.5}\n".utf8) }
          text += Array("{\"step\":1".utf8)
          try put(text, at: path)
        }
        try world.barrier()
        try trial.train(world, folder)
        let metrics = try Metrics(folder)
        var found = metrics.withoutTimes == whole ? [] : ["not the lines of a whole run"]
        if metrics.steps("loss") != Array(1...23) { found.append("\(metrics.steps("loss"))") }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `A request to one rank stops all at the same step, with a checkpoint`(
      _ world: World
    ) throws {
      let results = try world.run { world, folder in
        let ending = try Trial().train(world, folder, stop: 11)
        let latest = CheckpointStore(folder + "/run/checkpoints").latest
        try world.barrier()
        // A request at the very last step stops nothing.
        let late = try Trial().train(world, folder, run: "late", stop: 23)
        return (ending.outcome, ending.step, latest, late.outcome)
      }
      for (outcome, step, latest, late) in results {
        #expect(outcome == .interrupted && step == 11 && latest == 11 && late == .complete)
      }
    }

    @Test(arguments: World.all)
    func `A damaged checkpoint is passed over with a warning`(_ world: World) throws {
      let trial = Trial("checkpoint.every=5")
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(world, folder, run: "whole")
        try trial.train(world, folder, stop: 13)
        if world.isRoot {
          let path = folder + "/run/checkpoints/step-00000013/hidden.safetensors"
          var broken = try bytes(at: path)
          broken[broken.count - 2] ^= 4
          try put(broken, at: path)
        }
        try world.barrier()
        let journal = Journal()
        try trial.train(world, folder, journal: journal)
        let warnings = journal.lines.filter { $0.hasPrefix("warning") }
        if warnings.count != (world.isRoot ? 1 : 0) { found.append("\(journal.lines)") }
        if !warnings.allSatisfy({ $0.contains("step-00000013 is damaged") }) {
          found.append("\(warnings)")
        }
        if try Metrics(folder).withoutTimes != Metrics(folder, run: "whole").withoutTimes {
          found.append("metrics")
        }
        return found + (try Kept(folder).differences(Kept(folder, run: "whole")))
      }
      for found in results { #expect(found.isEmpty) }
    }
  }
}
