internal import Collectives
internal import Configuration
internal import Datasets
internal import LinearAlgebra
internal import Recurrence

/// The lengths of a free run: the number of given steps of each sequence, and the number of steps
/// that the model then predicts from its own outputs.
public struct FreeSteps: Sendable {
  public var told: Int
  public var predicted: Int

  public init(told: Int, predicted: Int) {
    self.told = told
    self.predicted = predicted
  }
}

/// Measures the predicted numbers of a model against the targets, over a part of the data.
struct NumberScore {
  let model: SequenceModel
  let weights: ParameterVector
  let world: any Communicator

  /// Returns the NRMSE of each output over all targets. Collective.
  func errors(
    on part: Split, _ request: LoaderRequest
  ) throws -> [(name: String, value: Double)] {
    var errors = [NRMSE](repeating: NRMSE(), count: model.interface.output.width)
    let predictions = try world.unanimous {
      try Predictions(of: model, weights: weights, on: part, request)
    }
    predictions.forEach { batch, t, outputs in
      let (targets, values) = (batch.targets.elements(), batch.valueRows)
      for s in 0..<batch.streams {
        let row = t * batch.streams + s
        guard targets[row] >= 0 else { continue }
        for j in errors.indices { errors[j].add(outputs[s, j], truth: values[row, j]) }
      }
    }
    return try named("nrmse", NRMSE.sums(errors, over: world))
  }

  /// Returns the NRMSE of each output at the last step of free runs, relative to the standard
  /// deviation of all frames of the sequences. Collective.
  /// - Throws: `UsageError` if a sequence is too short.
  func freeErrors(
    on set: any ExampleSet, _ steps: FreeSteps, batchSize: Int
  ) throws -> [(name: String, value: Double)] {
    let width = model.interface.output.width
    var spread = [NRMSE](repeating: NRMSE(), count: width)
    var squares = [Double](repeating: 0, count: width)
    try world.unanimous {
      let own = stride(from: world.rank, to: set.count, by: world.size).map { $0 }
      for first in stride(from: 0, to: own.count, by: batchSize) {
        let examples = own[first..<min(first + batchSize, own.count)]
          .map { set.example($0, epoch: 1) }
        // The target of the last step is a frame too.
        if let short = examples.first(where: { $0.values.count < (steps.count - 1) * width }) {
          throw UsageError(
            "a series has \(short.values.count / width + 1) steps, and --free and --after "
              + "together ask for \(steps.count): lower one of them")
        }
        let found = predict(examples, steps)
        for (s, example) in examples.enumerated() {
          for j in 0..<width {
            let series = stride(from: j, to: example.frames.count, by: width)
              .map { example.frames[$0] }
            spread[j] = spread[j] + Measures.nrmse(series, truth: series)
            let distance =
              Double(found[s * width + j]) - Double(example.values[(steps.count - 2) * width + j])
            squares[j] += distance * distance
          }
        }
      }
    }
    try world.sum(&squares)
    var errors = try NRMSE.sums(spread, over: world)
    // One error per sequence, but many frames.
    for j in 0..<width { errors[j].errors = squares[j] / Double(set.count) * errors[j].count }
    return named("nrmse_free_\(steps.predicted)", errors)
  }

  /// Returns the last frames that the model predicts for series in parallel.
  private func predict(_ examples: [Example], _ steps: FreeSteps) -> [Real] {
    let series = examples.map(\.frames)
    let width = model.interface.output.width
    let free = SeriesGenerator(model, weights: weights, streams: series.count)
    if model.interface.isConditioned {
      free.restart(
        knowing: examples.map { DecoderInput(condition: $0.condition, classes: $0.classes) })
    }
    for t in 0..<steps.told { free.read(series.flatMap { $0[t * width..<(t + 1) * width] }) }
    for _ in 1..<steps.predicted { _ = free.next() }
    return free.next()
  }

  /// Names one value, or one for each output by its number from 1; leaves out outputs whose truth
  /// is constant.
  private func named(_ name: String, _ errors: [NRMSE]) -> [(name: String, value: Double)] {
    errors.enumerated().filter(\.element.value.isFinite)
      .map { (errors.count == 1 ? name : "\(name)_\($0 + 1)", $1.value) }
  }
}

extension FreeSteps {
  /// The number of steps used of a series.
  fileprivate var count: Int { told + predicted }
}
