import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `Runs over trees` {
    /// Batches of 5 trees: an epoch has 7, the last of one tree.
    static let trials: [(String, Trial)] = ["plain", "lstm"].map { cell in
      var trial = Trial("data.valid=FOLDER/valid.txt", "evaluation.every=6")
      trial.yaml = """
        name: trees
        seed: 7
        data: {format: trees, view: nodes, train: FOLDER/train.txt}
        model:
          embedding: 6
          tree: {cell: \(cell), hidden: 6}
          dropout: 0.3
        training:
          batch_size: 5
          steps: 23
          optimizer: {rule: \(cell == "plain" ? "adagrad" : "adam")}
          schedule: {learning_rate: 0.02}
        checkpoint: {every: 1000, keep: 1000}
        """
      trial.texts = ["train.txt": trees(31, seed: 3), "valid.txt": trees(9, seed: 4)]
      return (cell, trial)
    }

    /// Trees of 1 to 12 words, and what they say at each node: whether `b` is under it more than `a`.
    static func trees(_ count: Int, seed: Int) -> String {
      var state = UInt64(seed)
      func draw(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % count
      }
      func tree(_ words: Int) -> (text: String, sum: Int) {
        guard words > 1 else {
          let word = draw(3)
          return ("(\(word) \(["a", "c", "b"][word]))", word - 1)
        }
        let cut = 1 + draw(words - 1)
        let (left, right) = (tree(cut), tree(words - cut))
        let sum = left.sum + right.sum
        return ("(\(sum.signum() + 1) \(left.text) \(right.text))", sum)
      }
      return (0..<count).map { _ in tree(1 + draw(12)).text }.joined(separator: "\n")
    }

    @Test(arguments: World.several, trials.map(\.0))
    func `do not depend on the number of ranks`(_ world: World, _ name: String) throws {
      let trial = Self.trials.first { $0.0 == name }!.1
      let members = ["loss", "valid_loss", "valid_accuracy", "valid_root_accuracy"]
      for found in try trial.divergencesFromAlone(members, in: world) {
        #expect(found.dropLast().allSatisfy { $0 < 1e-5 } && found.last! < 1e-4, "\(found)")
      }
    }

    @Test(arguments: World.all, trials.map(\.0))
    func `end with the bytes of those that were not stopped`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.trials.first { $0.0 == name }!.1
      for found in try trial.differencesWhenStopped(at: [3, 7, 16], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.all, trials.map(\.0))
    func `learn what trees say`(_ world: World, _ name: String) throws {
      let trial = Self.trials.first { $0.0 == name }!.1.with(
        "training.steps=300", "model.dropout=0", "data.test=FOLDER/train.txt",
        "evaluation.every=100", "training.optimizer={rule: adagrad}",
        "training.schedule.learning_rate=0.1")
      let accuracies = try world.run { world, folder in
        try trial.train(world, folder)
        let metrics = try Metrics(folder)
        return [metrics.values("test_accuracy"), metrics.values("test_root_accuracy")]
      }
      for found in accuracies { #expect(found.allSatisfy { $0.count == 1 && $0[0] > 0.9 }) }
    }
  }
}
