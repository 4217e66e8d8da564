import Checkpointing
import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `Resuming` {
    /// 403 symbols in 4 streams of 100: an epoch is 20 windows, the last of 4 steps.
    static let trials: [(String, Trial)] = [
      ("Adam", Trial()),
      ("variational dropout", Trial("model.variational=true")),
      (
        "momentum and a schedule",
        Trial(
          "training.optimizer={rule: sgd, momentum: 0.9, nesterov: true}",
          "training.schedule={shape: cosine, learning_rate: 0.3, warmup: 7}")
      ),
      (
        "average and plateau",
        Trial(
          "training.average={decay: 0.9, warmup: 3}", "data.valid=FOLDER/valid.txt",
          "training.schedule={learning_rate: 0.5, plateau: {factor: 0.5, patience: 0}}",
          "evaluation={every: 3, batch_size: 2, bptt: 7}", "training.optimizer={rule: rmsprop}")
      ),
      (
        "Muon and groups",
        Trial(
          "model.embedding=6", "training.optimizer={rule: muon, adamw: {weight_decay: 0.1}}",
          "training.groups=[{kind: recurrent, rate: 0.5, weight_decay: 0}, {match: '*.bias*', rate: 2}]"
        )
      ),
      ("Lion", Trial("training.optimizer={rule: lion, weight_decay: 0.1}")),
      ("AdEMAMix", Trial("training.optimizer={rule: ademamix, warmup: 25, slow: 0.99}")),
      (
        "Schedule-Free AdamW",
        Trial(
          "training.optimizer={rule: schedule_free, weight_decay: 0.1, r: 0.5}",
          "training.schedule={learning_rate: 0.05, warmup: 12}", "data.valid=FOLDER/valid.txt",
          "evaluation={every: 3, batch_size: 2, bptt: 7}")
      ),
      (
        "average with a trigger",
        Trial(
          "training.average={trigger: 2}", "data.valid=FOLDER/valid.txt",
          "training.optimizer={rule: sgd}", "training.schedule.learning_rate=1",
          "evaluation={every: 3, batch_size: 2, bptt: 7}")
      ),
      ("documents", Trial("data.document=line")),
      ("sum over time", Trial("training.loss_reduction=sum_over_time", "model.dropout=0.1")),
      ("label smoothing", Trial("training.label_smoothing=0.2", "training.z_loss=0.01")),
      (
        "states of several steps",
        Trial(
          "model.layers=[{cell: skip, hidden: 9, delays: [2, 8], initial_state: learnt, zoneout: 0.1}, "
            + "{cell: jordan, hidden: 6, teacher_forcing: true}, {cell: clockwork, hidden: 6, "
            + "periods: [1, 3], feedback: output, initial_state: e0}]", "model.recurrent=true",
          "data.document=line")
      ),
      ("blocks", .blocks),
      ("blocks, recomputed", .blocks.with("training.recompute=sqrt", "training.bptt=9")),
      (
        "overlapping windows of blocks", .blocks.with("training.bptt=8", "training.stride=3")
      ),
      ("overlapping windows", .overlapping),
      ("overlapping windows of documents", .overlapping.with("data.document=line")),
      ("several files", .severalFiles),
      ("a mixture of shards", .mixture),
      ("a mixture in overlapping windows", .mixture.with("training.stride=2")),
      ("shards", .unmixedShards),
      ("many symbols", .manySymbols),
      ("adaptive softmax", Trial("model.output={kind: adaptive, cutoffs: [4, 9], div_value: 2}")),
      ("sampled softmax", Trial("model.output={kind: sampled, samples: 5, soft_cap: 4}")),
      ("many symbols, Adagrad", .manySymbols.with("training.optimizer={rule: adagrad}")),
    ]

    @Test(
      arguments: World.all,
      trials.map(\.0))
    func `A run that was stopped ends with the bytes of one that was not`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.trials.first { $0.0 == name }!.1.with("training.steps=43")
      // Inside an epoch, right before its last window, at its end, and after it.
      for found in try trial.differencesWhenStopped(at: [9, 19, 20, 21], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.all)
    func `A run resumed at every step ends with the same bytes`(_ world: World) throws {
      let trial = Trial("training.steps=24", "training.average={decay: 0.9}")
      let results = try world.run { world, folder in
        try trial.train(world, folder, run: "whole")
        for step in 1...23 { try trial.train(world, folder, run: "cut", stop: step) }
        try trial.train(world, folder, run: "cut")
        return try Kept(folder, run: "cut").differences(Kept(folder, run: "whole"))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `A run goes back to an earlier checkpoint and comes to the same end`(
      _ world: World
    ) throws {
      let trial = Trial("checkpoint.every=6")
      let results = try world.run { world, folder in
        try trial.train(world, folder)
        let end = try Kept(folder)
        let metrics = try Metrics(folder).withoutTimes
        let path = CheckpointStore(folder + "/run/checkpoints").path(ofStep: 12)
        try trial.train(world, folder, resume: .path(path))
        return try end.differences(Kept(folder))
          + (Metrics(folder).withoutTimes == metrics ? [] : ["metrics"])
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `Saving changes nothing`(_ world: World) throws {
      let results = try world.run { world, folder in
        try Trial().train(world, folder, run: "seldom")
        try Trial("checkpoint.every=1").train(world, folder, run: "often")
        return try Kept(folder, run: "often").differences(Kept(folder, run: "seldom"))
      }
      for found in results { #expect(found.isEmpty) }
    }
  }
}

extension Trial {
  /// Files of different lengths, in another order in every epoch.
  /// Some 300 different symbols, of which a window reads at most 20, and no dropout: the first layer
  /// reads the table itself.
  static let manySymbols: Trial = {
    var trial = Trial(
      "model.dropout=0", "training.optimizer={rule: sgd}", "training.schedule.learning_rate=0.3")
    trial.texts["train.txt"] = String(
      text(403, seed: 1).unicodeScalars.enumerated().map { place, letter in
        // Now and then a letter is left as it is, so that some symbols are frequent.
        Character(place % 4 == 0 ? letter : Unicode.Scalar(UInt16(0x4E00 + place * 7 % 353))!)
      })
    return trial
  }()

  /// Blocks with every kind of carried state, over documents.
  static let blockLayers =
    "model.layers=[{block: {mixer: {cell: rg-lru, hidden: 6, heads: 2, input_weights: false, "
    + "in_projection: 6, conv: 4, gate: gelu_tanh, out_projection: true}, mlp: {kind: geglu, factor: 1.5}, "
    + "output_variance: 0.5}, repeat: 2}, {token_shift: true}, {conv: {kernel: 3, activation: silu}, "
    + "residual: true}, {block: {norm: layernorm, mixer: {cell: gru, hidden: 5, initial_state: learnt}, "
    + "mlp: swiglu}}]"
  static let blocks = Trial(
    blockLayers, "model.embedding=8", "model.embedding_scale=sqrt", "model.final_norm=rmsnorm",
    "data.document=line")

  /// Windows of up to eight steps, three of them new: the last of an epoch has one.
  static let overlapping = Trial(
    "training.bptt=8", "training.stride=3",
    "model.layers=[{cell: lstm, hidden: 7, zoneout: 0.1}, {cell: skip, hidden: 9, delays: [2, 4], "
      + "initial_state: learnt}]")

  /// An epoch of a mixture of shards is 20 windows too: 403 bytes in 4 streams.
  static let mixture: Trial = {
    var trial = Trial(
      "data={train: [{path: FOLDER/a, weight: 0.7}, {path: FOLDER/b/*, weight: 0.3}], "
        + "document: reset}")
    trial.shards = [
      "a/0.tokens": text(97, seed: 3), "a/1.tokens": text(106, seed: 4),
      "b/0.tokens": text(200, seed: 5),
    ]
    return trial
  }()

  static let unmixedShards: Trial = {
    var trial = mixture
    trial.settings = ["data={train: [FOLDER/a, FOLDER/b], document: reset}"]
    return trial
  }()

  static let severalFiles: Trial = {
    var trial = Trial("data.train=FOLDER/many", "data.document=file")
    trial.texts = [
      "many/a.txt": text(97, seed: 3), "many/b.txt": text(171, seed: 4),
      "many/c.txt": text(60, seed: 5), "many/d.txt": text(75, seed: 6),
    ]
    return trial
  }()
}
