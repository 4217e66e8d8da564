import Checkpointing
import Configuration
import Datasets
import Formats
import Foundation
import Recurrence
import Training

/// A state with something in every part, of a model with about as many numbers.
func state(step: Int, bestLoss: Double? = 1.25, numbers: Int = 300) -> CheckpointState {
  // As the trainer writes them.
  let best = bestLoss.map { JSONValue.number($0) } ?? .null
  let plateau = JSONValue.object([
    "best": best, "bad_evaluations": .integer(0), "factor": .number(0.25),
  ])
  let earlyStop = JSONValue.object(["best": best, "bad_evaluations": .integer(0)])
  let schedule = JSONValue.object([
    "step": .integer(step), "epoch": .integer(3), "tokens": .integer(700 * step),
    "skipped": .integer(0), "evaluatedAt": .integer(step), "plateau": plateau,
    "earlyStopping": earlyStop, "validationLoss": .number(0.1 + 0.2),
  ])
  return CheckpointState(
    step: step, epoch: 3, tokens: 700 * step, seed: .max - 4,
    streams: .object(["epoch": .integer(3), "position": .integer(35)]),
    random: .object(["optimizer": .integer(step), "average": .integer(0)]),
    schedule: schedule, plateau: plateau, earlyStop: earlyStop, bestLoss: bestLoss, worldSize: 2,
    batchSize: 2, configuration: try! JSONValue(encoding: options(numbers)),
    hashes: .init(
      configuration: "c", model: "m", data: "d",
      vocabulary: String(repeating: "0", count: 16 - hash.count) + hash),
    software: "unroll test", time: "2026-01-02T03:04:05Z")
}

/// The files of a checkpoint whose numbers depend on the step.
func files(step: Int, numbers: Int = 300) -> [CheckpointFile] {
  let model = SequenceModel(options(numbers).model.sequence!, vocabulary: symbols.count, seed: 1)
  var next = 0
  let tensors = ParameterLayout(model.plan).entries.map { entry in
    next += entry.count
    return Tensor(
      entry.name, shape: entry.shape,
      copying: (next - entry.count..<next).map { Float($0) / 7 + Float(step) })
  }
  return [
    CheckpointFile("model.safetensors", tensors: tensors),
    CheckpointFile("optimizer.safetensors", tensors: []),
    CheckpointFile(
      "hidden.safetensors",
      tensors: [Tensor(stateName, shape: [2, 1], copying: [Float(step), -1])]),
    CheckpointFile("vocabulary.json", bytes: symbols.json),
  ]
}

/// The one state of that model.
let stateName = "layers.0.h_l0"

private let symbols = Vocabulary(names: ["a", "b"])
private let hash = String(symbols.hash, radix: 16)

private func options(_ numbers: Int) -> RunOptions {
  var training = TrainingOptions()
  training.batchSize = 2
  return RunOptions(
    name: "a \"test\" é", seed: .max - 4, data: DataOptions(train: ["text.txt"]),
    model: .sequence(
      SequenceModelOptions(
        embedding: nil,
        layers: [
          LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 1))),
          LayerOptions(.linear(numbers / 4)),
        ])), training: training)
}
