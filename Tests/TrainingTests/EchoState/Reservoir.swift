import Collectives
import Configuration
import Datasets
import Formats
import LinearAlgebra
import Recurrence
import Sequences
import Training

/// A model whose readout is fitted, made from a configuration.
struct Reservoir {
  let options: RunOptions
  let trainer: Trainer

  /// - Parameter examples: what the examples of a task are made from.
  init(
    _ yaml: String, seed: Int, examples: UInt64? = nil, in world: any Communicator = SingleProcess()
  ) throws {
    var configuration = try Configuration(yaml: yaml, file: "echo.yaml")
    try configuration.set("seed=\(seed)")
    options = try configuration.decode(RunOptions.self)
    let dataset = try Dataset(
      options.data, vocabularies: nil, cache: "", writing: false, seed: examples ?? UInt64(seed))
    trainer = try Trainer(options, dataset: dataset, world: world)
    guard try trainer.run() == .complete else { throw UsageError("not fitted") }
  }

  /// The examples of a part of the task.
  func examples(_ part: TaskPart, seed: UInt64) -> [Example] {
    guard let set = options.data.task?.examples(part, seed: seed) else { return [] }
    return (0..<set.count).map { set.example($0, epoch: 1) }
  }

  /// Returns the model's predictions at every step of one sequence of frames.
  func outputs(_ example: Example) -> [[Double]] {
    TrainingTests.outputs(of: trainer.model as! SequenceModel, trainer.weights, for: example)
  }
}

/// Returns a model's predictions at every step of one sequence of frames.
func outputs(
  of model: SequenceModel, _ weights: ParameterVector, for example: Example
) -> [[Double]] {
  let batch = Batch(rows: 1, widths: Batch.Widths(features: example.frames.count / example.steps))
  let width = batch.widths.features
  let tape = Tape(model.plan, steps: 1, streams: 1, derivatives: false)
  batch.begin(steps: 1, streams: 1)
  batch.targets.elements()[0] = Batch.noTarget
  return (0..<example.steps).map { t in
    for j in 0..<width { batch.features.elements()[j] = example.frames[t * width + j] }
    let pass = tape.begin(batch, weights: weights)
    model.read(pass)
    let found = model.outputs(at: 0, pass)[0].elements.map { Double($0) }
    tape.carryStates()
    return found
  }
}

func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
func variance(_ x: [Double]) -> Double {
  let m = mean(x)
  return mean(x.map { ($0 - m) * ($0 - m) })
}
func median(_ x: [Double]) -> Double {
  let sorted = x.sorted()
  return (sorted[(x.count - 1) / 2] + sorted[x.count / 2]) / 2
}
