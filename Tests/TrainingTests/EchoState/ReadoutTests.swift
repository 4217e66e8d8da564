import Checkpointing
import Collectives
import Configuration
import Datasets
import Formats
import Foundation
import Inference
import LinearAlgebra
import Recurrence
import Sequences
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `A readout` {
    static let numbers = trial(
      """
      data: {task: mackey-glass, length: 150, shift: -1, train_size: 9, valid_size: 4, test_size: 0}
      model:
        layers: [{cell: echo-state, hidden: 43, connections: 5, leak: 0.5}]
        shortcut: true
      training: {batch_size: 5, bptt: 40, readout: {ridge: 1e-6, washout: 30}}
      """)
    static let labels = trial(
      """
      data: {task: frames, classes: 3, width: 2, train_size: 90, valid_size: 20, test_size: 0}
      model:
        layers: [{cell: echo-state, hidden: 31, leak: 0.3}]
      training: {batch_size: 7, readout: {ridge: 0.1}}
      """)
    static let text = trial(
      """
      data: {train: FOLDER/train.txt, valid: FOLDER/valid.txt, tokenizer: character}
      model:
        layers: [{cell: echo-state, hidden: 29}]
      training: {batch_size: 5, bptt: 7, readout: {ridge: 0.01}}
      """)

    /// Pieces of different lengths, so that batches are padded.
    static let pieces: Trial = {
      var pieces = trial(
        """
        data: {format: piano, train: FOLDER/pieces.txt}
        model:
          layers: [{cell: echo-state, hidden: 23, leak: 0.4}]
        training: {batch_size: 5, readout: {ridge: 0.1, washout: 2}}
        """)
      pieces.texts["pieces.txt"] = (0..<17).map { k in
        (0..<4 + k % 6).map { "\(30 + (3 * k + 5 * $0) % 11),\(50 + (k + $0) % 7)" }
          .joined(separator: " | ") + "\n"
      }.joined()
      return pieces
    }()

    /// Products large enough for the libraries to choose others for other numbers of rows.
    static let frames = trial(
      """
      data: {task: frames, train_size: 40, valid_size: 4, test_size: 0}
      model:
        layers: [{cell: echo-state, hidden: 300, leak: 0.3, input_scaling: 0.3}]
      training: {batch_size: 20, readout: {ridge: 1}}
      """)
    /// Layers that would be learnt elsewhere, below and above the reservoir.
    static let mixed = text.with(
      "model.embedding=21",
      "model.layers=[{cell: gru, hidden: 67}, {cell: echo-state, hidden: 90}, {linear: 31}]")
    static let translation: Trial = {
      var pairs = trial(
        """
        data:
          format: pairs
          train: FOLDER/train.txt
          tokenizer: character
          source: {train: FOLDER/source.txt, tokenizer: character}
        model:
          embedding: 15
          encoder: {embedding: 14, layers: [{cell: gru, hidden: 53, bidirectional: concat}]}
          context: both
          attention: multiplicative
          layers: [{cell: lstm, hidden: 47}]
        training: {batch_size: 6, readout: {ridge: 1}}
        """)
      let words = (0..<26).map { k in
        String((0...(k * 5) % 17).map { Character(["a", "b", "c", "d"][(k + $0 * $0) % 4]) })
      }
      pairs.texts = [
        "source.txt": words.joined(separator: "\n") + "\n",
        "train.txt": words.map { String($0.reversed()) }.joined(separator: "\n") + "\n",
      ]
      return pairs
    }()
    private static let read = [
      numbers, labels, text, pieces, frames, mixed, mixed.with("training.precision=bfloat16"),
      translation, translation.with("model.attention=additive", "model.attention_place=input"),
    ]

    private static func trial(_ yaml: String) -> Trial {
      var trial = Trial()
      trial.yaml = "name: trial\nseed: 7\n" + yaml
      return trial
    }

    /// A single sequence, and a single stream: all ranks but one have nothing to read.
    static let single: [Trial] = [
      numbers.with("data.train_size=3", "training.batch_size=1"),
      text.with("training.batch_size=1", "evaluation.batch_size=1"),
    ]

    @Test(
      arguments: World.several,
      read + single)
    func `is the same to the byte on any number of ranks`(_ world: World, _ trial: Trial) throws {
      let differences = try world.run { world, folder in
        try trial.train(world, folder, run: "together")
        try trial.train(SingleProcess(), folder, run: "alone \(world.rank)")
        let (many, alone) = try (
          Kept(folder, run: "together"), Kept(folder, run: "alone \(world.rank)")
        )
        #expect(many.tensors["model.safetensors"]?.isEmpty == false)
        return many.tensors["model.safetensors"] == alone.tensors["model.safetensors"]
      }
      #expect(differences.allSatisfy { $0 })
    }

    @Test(arguments: World.several, [numbers, labels, text])
    func `is the same on any number of ranks`(_ world: World, _ trial: Trial) throws {
      let differences = try world.run { world, folder in
        let many = try trial.train(world, folder, run: "together")
        let alone = try trial.train(SingleProcess(), folder, run: "alone \(world.rank)")
        #expect(many.outcome == .complete && many.step == alone.step)
        #expect(alone.weights.contains { $0.magnitude > 1e-3 })
        let size = alone.weights.reduce(0) { $0 + Double($1 * $1) }.squareRoot()
        let distance = zip(many.weights, alone.weights).reduce(0.0) {
          $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1))
        }
        return distance.squareRoot() / size
      }
      #expect(differences.allSatisfy { $0 < 1e-9 }, "\(differences)")
    }

    /// Reads one sequence after the other, whole, and takes the derivative of the sum that a
    /// readout minimises, Xᵀ(X B − Y) + ridge B: it is 0 at the fitted B.
    @Test(arguments: [numbers, labels, pieces])
    func `has the least error of all, beside its size`(_ trial: Trial) throws {
      let trial = trial.with("training.readout.ridge=0.3")
      _ = try World.singleProcess.run { world, folder in
        let run = try trial.prepare(world, folder)
        #expect(try run.train() == .complete)
        let store = CheckpointStore(folder + "/run/checkpoints")
        let checkpoint = try Checkpoint(verifying: store.path(ofStep: #require(store.latest)))
        let (made, weights) = try checkpoint.anyModel()
        let model = try #require(made as? SequenceModel)
        let options = try #require(try trial.options(folder).training.readout)
        let set = try #require(run.dataset.train.examples)
        let (width, inputs) = (model.interface.output.width, model.plan.width(model.top) + 1)
        let bias = weights[try #require(model.head.bias)][0]
        let matrix = weights[model.head.weight]
        let fitted = (0..<inputs).map { i in
          (0..<width).map { Double(i == 0 ? bias[$0] : matrix[$0, i - 1]) }
        }
        var derivative = fitted.map { $0.map { options.ridge * $0 } }
        var size = 0.0
        for index in 0..<set.count {
          let example = set.example(index, epoch: 1)
          let batch = Batch(rows: example.steps, streams: 1, widths: set.shape.widths)
          batch.begin(steps: example.steps, streams: 1)
          _ = batch.features.elements().update(fromContentsOf: example.frames)
          let tape = Tape(model.plan, steps: example.steps, streams: 1, derivatives: false)
          let pass = tape.begin(batch, weights: weights)
          model.read(pass)
          for t in options.washout..<max(example.steps, options.washout)
          where example.targets[t] != Batch.noTarget {
            let x = [1] + pass[model.top][t].elements.map { Double($0) }
            for j in 0..<width {
              let y =
                switch model.interface.output {
                case .numbers: Double(example.values[t * width + j])
                case .labels: example.values[t * width + j] > 0 ? 1.0 : -1
                case .symbols: example.targets[t] == j ? 1.0 : 0
                }
              let error = (0..<inputs).reduce(-y) { $0 + x[$1] * fitted[$1][j] }
              for i in 0..<inputs {
                derivative[i][j] += x[i] * error
                size += abs(x[i] * y)
              }
            }
          }
        }
        let most = derivative.joined().map { abs($0) }.max()!
        #expect(size > 0 && most < 1e-6 * size, "\(most) of \(size)")
      }
    }

    @Test(arguments: World.all, [numbers] + single)
    func `is complete after its pass, and a run that is stopped begins the pass again`(
      _ world: World, _ trial: Trial
    ) throws {
      _ = try world.run { world, folder in
        let whole = try trial.train(world, folder, run: "whole")
        let stopped = try trial.train(world, folder, run: "stopped", stop: 3)
        #expect(stopped.outcome == .interrupted && stopped.step == 3)
        let again = try trial.train(world, folder, run: "stopped")
        #expect(again == whole)
        // A run that is complete takes no step more, and has the readout.
        let after = try trial.train(world, folder, run: "whole")
        #expect(after == whole)
      }
    }

    @Test func `leaves the reservoir out of the checkpoint`() throws {
      _ = try World.singleProcess.run { world, folder in
        let run = try Self.numbers.prepare(world, folder)
        #expect(try run.train() == .complete)
        let store = CheckpointStore(folder + "/run/checkpoints")
        let checkpoint = try Checkpoint(verifying: store.path(ofStep: #require(store.latest)))
        let names = try checkpoint.tensors(of: "model.safetensors").tensors.map(\.name)
        #expect(Set(names) == ["decoder.weight", "decoder.bias"])
        // The model that is made of it has the same one, and scores what the run scored.
        let (model, weights) = try checkpoint.anyModel()
        let valid = try #require(run.dataset.valid)
        let evaluation = try Evaluation(
          valid, plan: model.plan, try checkpoint.options().evaluation, world: world)
        let score = try evaluation.run(model, weights: weights)
        let known = try #require(run.trainer.coordinator.state.validationLoss)
        #expect(score.loss == known)
        // With every value 0.2 from the mean, guessing it costs 0.04; half of that is learnt
        // easily.
        #expect(known < 0.02)
      }
    }

    @Test(arguments: ["training.epochs=3", "training.steps=9", "training.recompute=sqrt"])
    func `is refused beside what learns by gradients`(_ setting: String) throws {
      #expect(throws: (any Error).self) { try Self.numbers.with(setting).options("") }
    }

    @Test func `without a single solution is refused with a sentence`() throws {
      // One unit of a softmax's one-hot inputs is the bias less all others.
      let trial = Self.text.with(
        "training.readout.ridge=0", "model.shortcut=true")
      _ = try World.singleProcess.run { world, folder in
        #expect(throws: UsageError.self) { try trial.train(world, folder) }
      }
    }
  }
}
