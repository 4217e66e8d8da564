import Checkpointing
import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `Windows that overlap` {
    @Test(arguments: World.all)
    func `of new steps alone are plain ones, bit for bit`(_ world: World) throws {
      let results = try world.run { world, folder in
        try Trial().train(world, folder, run: "plain")
        try Trial("training.stride=5").train(world, folder, run: "whole")
        return try Kept(folder, run: "plain").differences(Kept(folder, run: "whole"))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `read every symbol once, and reach further back`(_ world: World) throws {
      let results = try world.run { world, folder in
        let short = Trial("training.bptt=3", "training.steps=33", "model.dropout=0")
        let long = Trial(
          "training.bptt=9", "training.stride=3", "training.steps=33", "model.dropout=0")
        let a = try short.train(world, folder, run: "short")
        let b = try long.train(world, folder, run: "long")
        let lines = try ["short", "long"].map { try Metrics(folder, run: $0) }
        try world.barrier()
        return (
          lines[0].values("tokens") == lines[1].values("tokens"),
          // The first window is the same, the second not.
          divergence(
            [lines[0].values("gradient_norm")[0]], [lines[1].values("gradient_norm")[0]]) < 1e-5,
          divergence(
            [lines[0].values("gradient_norm")[1]], [lines[1].values("gradient_norm")[1]]),
          a.weights == b.weights
        )
      }
      for (tokens, first, second, weights) in results {
        #expect(tokens && first && second > 1e-5 && !weights)
      }
    }

    @Test(arguments: World.all)
    func `may begin and end in a run that goes on`(_ world: World) throws {
      let results = try world.run { world, folder in
        let (plain, overlapping) = (
          Trial("training.bptt=3", "training.steps=20"),
          Trial("training.bptt=7", "training.stride=3", "training.steps=20")
        )
        var losses: [[Double]] = []
        for (name, first, second) in [
          ("off", overlapping, plain), ("on", plain, overlapping),
          ("less", overlapping, Trial("training.bptt=4", "training.stride=3", "training.steps=20")),
        ] {
          try first.train(world, folder, run: name, stop: 11)
          try second.train(world, folder, run: name)
          try world.barrier()
          losses.append(try Metrics(folder, run: name).values("loss"))
        }
        // The state before step 12 and the weights are those of the first part, whichever way it goes on.
        try overlapping.train(world, folder, run: "same")
        try world.barrier()
        let same = try Metrics(folder, run: "same").values("loss")
        return [
          losses[0][11] == same[11], losses[2][11] == same[11],
          losses.allSatisfy { $0.count == 20 },
        ]
      }
      for found in results { #expect(found == [true, true, true]) }
    }

    @Test(arguments: [World.all[0]])
    func `are refused where they do not fit`(_ world: World) throws {
      let refusals = [
        ("training.stride=9", "set it to at most that"),
        ("training.carry_state=false", "set carry_state to true"),
        ("training.recompute=sqrt", "set recompute to none"),
        ("model.variational=true", "set them to false"),
        ("model.recurrent=true", "set them to false"),
        (
          "data={task: adding, length: 22, form: hochreiter, train_size: 40, valid_size: 8, "
            + "test_size: 8}", "remove it"
        ),
      ]
      for (setting, sentence) in refusals {
        let results = try world.run { world, folder in
          do {
            try Trial("training.stride=3", "model.embedding=null", setting).train(world, folder)
            return "nothing"
          } catch is FailedElsewhere {
            return sentence
          } catch { return "\(error)" }
        }
        for found in results { #expect(found.contains(sentence), "\(setting): \(found)") }
      }
    }

    @Test(arguments: World.all)
    func `leave a step with bad numbers out`(_ world: World) throws {
      let trial = Trial.overlapping.with(
        "training.on_nonfinite=skip", "training.steps=12", "checkpoint.every=1")
      let results = try world.run { world, folder in
        let ending = try `Bad numbers`.train(trial, world, folder, poison: [6])
        let (before, after) = try (Kept(folder, step: 5), Kept(folder, step: 6))
        let states = try [5, 6].map { step in
          let path = CheckpointStore(folder + "/run/checkpoints").path(ofStep: step)
          let file = try Checkpoint(verifying: path).tensors(of: "hidden.safetensors")
          return file.tensors.filter { !$0.name.contains("kept.") }.map { [UInt8]($0.memory) }
        }
        if states[0] != states[1] || states[0].isEmpty { return (false, false, false) }
        return (
          ending.outcome == .complete && ending.weights.allSatisfy { $0.isFinite },
          before.tensors["model.safetensors"] == after.tensors["model.safetensors"],
          try Metrics(folder).values("loss").allSatisfy { $0.isFinite }
        )
      }
      for (ended, same, finite) in results { #expect(ended && same && finite) }
    }
  }
}
