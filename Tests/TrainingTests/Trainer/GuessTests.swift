import Collectives
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `A loss above that of guessing` {
    static let far = [
      "training.optimizer={rule: adam}", "training.schedule.learning_rate=100",
      "training.clip=null", "training.steps=40",
    ]

    static func trial(_ data: String) -> Trial {
      var trial = Trial()
      trial.yaml = """
        name: trial
        seed: 7
        data: \(data)
        model: {layers: [{cell: lstm, hidden: 7}]}
        training:
          {batch_size: 5, steps: 40, optimizer: {rule: adam}, schedule: {learning_rate: 0.01}}
        evaluation: {every: 20}
        """
      return trial
    }

    static let text = Trial(
      "data.valid=FOLDER/valid.txt", "evaluation={every: 10, batch_size: 2, bptt: 9}")
    static let numbers = trial(
      "{task: adding, length: 12, train_size: 90, valid_size: 20, test_size: 0}")
    static let labels: Trial = {
      var labels = trial("{format: piano, train: FOLDER/pieces.txt, valid: FOLDER/pieces.txt}")
      labels.texts = `A readout`.pieces.texts
      return labels
    }()
    static let diverging = [text, Trial(), numbers, labels].map { trial in
      far.reduce(trial) { $0.with($1) }
    }

    /// How a run ends, and what its root says.
    static func end(_ trial: Trial, _ world: any Communicator, _ folder: String) throws -> (
      Outcome, [String]
    ) {
      let journal = Journal()
      let outcome = try trial.train(world, folder, journal: journal).outcome
      return (outcome, world.isRoot ? journal.lines : [])
    }

    @Test(arguments: World.all, diverging)
    func `at the end is told as divergence`(_ world: World, _ trial: Trial) throws {
      let endings = try world.run { try Self.end(trial, $0, $1) }
      for (outcome, lines) in endings {
        #expect(outcome == .worseThanGuessing && ExitStatus.of(outcome) == ExitStatus.diverged)
        guard !lines.isEmpty else { continue }
        #expect(lines.count { $0.contains("Diverged: after 40 steps the ") } == 1, "\(lines)")
        #expect(!lines.contains { $0.contains("Complete") || $0.contains("Best validation") })
      }
    }

    @Test(
      arguments: World.all,
      [text, text.with("training.schedule.learning_rate=1e-9"), Trial(), numbers, labels])
    func `is none of a run that has learnt, or that has hardly begun`(
      _ world: World, _ trial: Trial
    ) throws {
      for (outcome, lines) in try world.run({ try Self.end(trial, $0, $1) }) {
        #expect(outcome == .complete)
        #expect(!lines.contains { $0.contains("Diverged") })
      }
    }

    @Test(arguments: World.all)
    func `of numbers is that of their mean`(_ world: World) throws {
      let found = try world.run { world, folder -> (Double?, Double) in
        let run = try Self.numbers.prepare(world, folder)
        _ = try run.train()
        try world.barrier()
        let set = try #require(run.dataset.valid?.examples)
        let asked = (0..<set.count).flatMap { index -> [Double] in
          let example = set.example(index, epoch: 1)
          return zip(example.targets, example.values).filter { $0.0 >= 0 }.map { Double($0.1) }
        }
        let mean = asked.reduce(0, +) / Double(asked.count)
        let variance = asked.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(asked.count)
        return (run.trainer.coordinator.state.guess, variance)
      }
      for (guess, variance) in found {
        #expect(variance > 0.01 && abs((guess ?? 0) - variance) < 1e-9)
      }
    }
  }
}
