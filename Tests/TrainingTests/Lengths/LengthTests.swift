import Checkpointing
import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// The length of a run in parts of an epoch and in tokens.
  @Suite struct `The length of training` {
    /// 403 symbols in 4 streams of 99 steps: an epoch is 20 windows, the last of 4 steps, and 396 targets.
    static let trial = Trial("training.steps=null")

    /// The number of steps that are announced, and those that are taken with their targets.
    private func length(_ trial: Trial) throws -> (announced: Int, steps: Int, tokens: Double) {
      try World.singleProcess.run { world, folder in
        let run = try trial.prepare(world, folder)
        let announced = run.trainer.coordinator.totalSteps
        #expect(try run.train() == .complete)
        let tokens = try Metrics(folder).values("tokens")
        return (announced, tokens.count, tokens.last ?? 0)
      }[0]
    }

    @Test(arguments: [
      (0.25, 5, 100.0), (0.01, 1, 20), (1, 20, 396), (1.5, 30, 596), (2, 40, 792), (0.999, 20, 396),
    ])
    func `may be a part of an epoch`(_ epochs: Double, _ steps: Int, _ tokens: Double) throws {
      let found = try length(Self.trial.with("training.epochs=\(epochs)"))
      #expect(found == (steps, steps, tokens))
    }

    @Test(arguments: [
      ("1", 1, 20.0), ("20", 1, 20), ("21", 2, 40), ("3.96e2", 20, 396), ("397", 21, 416),
      ("1e3", 51, 1012),
    ])
    func `may be a number of tokens, which the last step reaches`(
      _ given: String, _ steps: Int, _ tokens: Double
    ) throws {
      let found = try length(Self.trial.with("training.tokens=\(given)"))
      #expect(found == (steps, steps, tokens))
    }

    @Test(arguments: ["of: bptt, from: 2, steps: 14", "of: streams, from: 1, steps: 9"])
    func `is met by a batch that grows`(_ ramp: String) throws {
      for setting in ["training.epochs=0.5", "training.epochs=1.25", "training.tokens=200"] {
        let found = try length(Self.trial.with("training.ramp={\(ramp)}", setting))
        #expect(found.announced == found.steps)
      }
    }

    @Test(arguments: World.all, ["training.epochs=1.35", "training.tokens=533"])
    func `is kept by a run that is resumed`(_ world: World, _ setting: String) throws {
      let trial = Self.trial.with(
        setting, "training.schedule={shape: cosine, learning_rate: 0.03, warmup: 3}")
      for found in try trial.differencesWhenStopped(at: [4, 20, 25], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test func `in tokens is kept where a run is resumed with other windows`() throws {
      _ = try World.singleProcess.run { world, folder in
        let trial = Self.trial.with("training.tokens=600")
        try trial.train(world, folder, stop: 10)
        let run = try trial.with("training.bptt=10").prepare(world, folder)
        let announced = run.trainer.coordinator.totalSteps
        #expect(try run.train() == .complete)
        let tokens = try Metrics(folder).values("tokens")
        #expect(tokens.last! >= 600 && tokens.dropLast().last! < 600)
        #expect(abs(announced - tokens.count) <= 1)
      }
    }
  }

  @Suite struct `Bits per byte` {
    @Test func `are in the metrics of training, validation and test, and in the checkpoint`() throws
    {
      let trial = Trial("data.valid=FOLDER/valid.txt", "evaluation={every: 10}").testing(on: 99)
      _ = try World.singleProcess.run { world, folder in
        try trial.train(world, folder)
        let metrics = try Metrics(folder)
        // A character of these texts is a byte.
        for (bits, loss) in [
          ("bits_per_byte", "loss"), ("valid_bits_per_byte", "valid_loss"),
          ("test_bits_per_byte", "test_loss"),
        ] {
          let (bits, loss) = (metrics.values(bits), metrics.values(loss))
          #expect(!loss.isEmpty && divergence(bits.map { $0 * 0.693147180559945 }, loss) < 1e-12)
        }
        let store = CheckpointStore(folder + "/run/checkpoints")
        let found = try CheckpointInspection(Checkpoint(verifying: store.path(ofStep: 23)))
        #expect(found.words.contains(" bits per byte"))
      }
    }

    @Test func `of words count the bytes of the text`() throws {
      let trial = Trial("data={train: FOLDER/train.txt, tokenizer: word}", "training.steps=3")
      _ = try World.singleProcess.run { world, folder in
        let run = try trial.prepare(world, folder)
        _ = try run.train()
        let metrics = try Metrics(folder)
        let symbols = Double(run.dataset.train.count)
        for (bits, loss) in zip(metrics.values("bits_per_byte"), metrics.values("loss")) {
          #expect(abs(bits * 0.693147180559945 * 403 / symbols / loss - 1) < 1e-9)
        }
      }
    }
  }
}
