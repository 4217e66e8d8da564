import Checkpointing
import Collectives
import Configuration
import Formats
import Inference
import LinearAlgebra
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// `evaluation.sample`: texts that the model writes while it is trained.
  @Suite struct `Samples while training` {
    private static let texts: [String: (trial: Trial, sample: String)] = [
      "a text": (
        Trial("data.valid=FOLDER/valid.txt", "evaluation={every: 6, batch_size: 2}"),
        "evaluation.sample={prompt: ab, length: 11, temperature: 0.7, top_k: 5}"
      ),
      "averaged weights": (
        Trial(
          "training.average={decay: 0.9, warmup: 3}", "data.valid=FOLDER/valid.txt",
          "evaluation={every: 7, batch_size: 2}"),
        "evaluation.sample={every: 5, length: 9, top_p: 0.9}"
      ),
      "without validation": (
        Trial("data.document=line"), "evaluation.sample={every: epoch, prompt: cd, length: 4}"
      ),
      "outer steps": (
        Trial("communication.outer={every: 4, rule: nesterov}"),
        "evaluation.sample={every: 6, length: 5}"
      ),
      "lines": (
        GivenTrials.all["classes that lead lines, in batches by steps"]!,
        "evaluation.sample={every: 6, prompt: ab, length: 7, condition: [low, '3']}"
      ),
      "predicted lengths": (
        `Runs over sequences`.trials["length in windows"]!,
        "evaluation.sample={every: 6, prompt: a, length: 7, condition: [1, 0, 0, 0]}"
      ),
      "pairs": (
        `Runs over sequences`.trials["pairs"]!,
        "evaluation.sample={every: 6, sources: [abc, bb]}"
      ),
      "pairs of classes": (
        GivenTrials.all["classes and numbers of pairs"]!,
        "evaluation.sample={every: 6, sources: [abc], condition: [low, '2']}"
      ),
    ]

    @Test(arguments: World.all, texts.keys.sorted())
    func `change nothing but their own lines`(_ world: World, _ name: String) throws {
      let (trial, sample) = Self.texts[name]!
      let results = try world.run { world, folder in
        try trial.train(world, folder, run: "without")
        try trial.with(sample).train(world, folder, run: "with")
        let (with, without) = try (
          Metrics(folder, run: "with"), Metrics(folder, run: "without")
        )
        let others = with.withoutTimes.filter { $0["samples"] == nil }
        return (
          try Kept(folder, run: "with").differences(Kept(folder, run: "without"))
            + (others == without.withoutTimes ? [] : ["metrics"]), with.steps("samples")
        )
      }
      for (differences, steps) in results {
        #expect(differences.isEmpty)
        #expect(steps.count >= 2 && steps == Array(Set(steps)).sorted(), "\(steps)")
      }
    }

    @Test(arguments: World.all, texts.keys.sorted())
    func `are the same in a run that was stopped`(_ world: World, _ name: String) throws {
      let (trial, sample) = Self.texts[name]!
      for found in try trial.with(sample).differencesWhenStopped(at: [5, 6, 13], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test func `are due at their own steps and after the last`() throws {
      let trial = Trial("evaluation.sample={every: 5, length: 3}")
      let steps = try World.singleProcess.run { world, folder in
        try trial.train(world, folder)
        return try Metrics(folder).steps("samples")
      }
      #expect(steps == [[5, 10, 15, 20, 23]])
    }

    @Test func `are what the last checkpoint generates`() throws {
      let (trial, sample) = Self.texts["averaged weights"]!
      let found = try World.singleProcess.run { world, folder in
        try trial.with(sample, "evaluation.sample.prompt=ab").train(world, folder)
        let store = CheckpointStore(folder + "/run/checkpoints")
        let generator = try TextGenerator(
          Checkpoint(verifying: store.path(ofStep: 23)), seed: 7)
        var texts: [String] = []
        let prompt = generator.vocabulary.encode("ab")
        generator.continuations(
          of: [prompt], streams: 1, .init(sampling: .init(topP: 0.9), length: 9)
        ) {
          texts.append(String(decoding: generator.bytes(prompt, $1, stop: []), as: UTF8.self))
        }
        let last = try Metrics(folder).having("samples").last?["samples"]
        return (texts, last)
      }[0]
      #expect(found.0.count == 1 && found.0[0].hasPrefix("ab") && found.0[0].count == 11)
      #expect(
        found.1 == .array([.object(["prompt": .string("ab"), "text": .string(found.0[0])])]))
    }

    @Test func `of sources are what the last checkpoint decodes`() throws {
      let (trial, sample) = Self.texts["pairs"]!
      let found = try World.singleProcess.run { world, folder in
        try trial.with(sample).train(world, folder)
        let store = CheckpointStore(folder + "/run/checkpoints")
        let translator = try SequenceTranslator(
          Checkpoint(verifying: store.path(ofStep: store.latest!)))
        let texts = ["abc", "bb"].map { line in
          let found = translator.search(
            [translator.given(line)], beam: 4, normalisation: .init(alpha: 1))
          return JSONValue.object(["source": .string(line), "text": .string(found[0])])
        }
        return (texts, try Metrics(folder).having("samples").last?["samples"])
      }[0]
      #expect(found.1 == .array(found.0))
    }

    @Test(arguments: World.few)
    func `are broken off by a request to stop, and written by the resumed run`(
      _ world: World
    ) throws {
      let trial = Trial("evaluation.sample={every: 6, prompt: ab, length: 9}")
      let results = try world.run { world, folder in
        try trial.train(world, folder, run: "whole")
        var asked = 0
        // The run is over, and its folder free, when this returns.
        func stopped() throws -> (Outcome, Int) {
          let run = try trial.prepare(world, folder, run: "broken")
          let trainer = run.trainer
          if world.isRoot {
            trainer.isAskedToStop = { [unowned trainer] in
              guard !trainer.isTakingStep, trainer.coordinator.state.step == 6 else { return false }
              asked += 1
              return asked > 3
            }
          }
          return (try run.train(), trainer.coordinator.state.step)
        }
        let (outcome, step) = try stopped()
        try world.barrier()
        let early = try Metrics(folder, run: "broken").steps("samples")
        try world.barrier()
        try trial.train(world, folder, run: "broken")
        return (outcome, step, early, asked, try differencesFromWhole(folder, run: "broken"))
      }
      for (outcome, step, early, asked, differences) in results {
        #expect(outcome == .interrupted && step == 6 && early == [] && differences == [])
        #expect(asked == 0 || asked == 4)
      }
    }

    @Test func `refuse a prompt of which the model knows nothing`() throws {
      #expect {
        _ = try World.singleProcess.run { world, folder in
          try Trial("evaluation.sample={prompt: QXZ, length: 9}").train(world, folder).step
        }
      } throws: {
        "\($0)".contains(
          "evaluation.sample.prompt: no symbol of the prompt \"QXZ\" is in the model's")
      }
    }

    @Test func `refuse a condition that the data has not`() throws {
      let trial = GivenTrials.all["classes that lead lines, in batches by steps"]!
        .with("evaluation.sample={prompt: ab, condition: [shrill, '3']}")
      #expect(throws: (any Error).self) {
        _ = try World.singleProcess.run { world, folder in try trial.train(world, folder).step }
      }
    }
  }
}
