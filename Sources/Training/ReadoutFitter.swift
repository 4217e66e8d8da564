internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence
internal import Sequences

/// Fits a model's output layer in one pass over the training data, without gradients: `training:
/// {readout: {ridge: 1e-6}}`.
///
/// The input of the output layer at each step with a target is a row of X, with a 1 appended if the
/// layer has a bias. The target is a row of Y: numbers as they are, 1 for the right symbol and 0
/// for all others, ±1 for a label that is true or false. The weights B minimise `‖X B − Y‖² + ridge
/// ‖B‖²` (Jaeger 2001). Sums are in double precision, separately for each stream's part of a
/// window, and products with weights are computed separately for each row, so that they are the
/// same for any world size.
final class ReadoutFitter {
  private let options: ReadoutOptions
  private let model: SequenceModel
  private let sums: NormalSums
  private var rows: [Double] = []

  init(_ options: ReadoutOptions, of model: SequenceModel) {
    self.options = options
    self.model = model
    sums = NormalSums(
      inputs: model.plan.width(model.top) + (model.head.bias == nil ? 0 : 1),
      outputs: model.interface.output.width)
  }

  /// Adds a window.
  /// - Returns: The number of its steps that count.
  func add(_ pass: Pass) -> Int {
    let before = sums.rows
    model.read(pass)
    let batch = pass.batch
    let targets = batch.targets.elements()
    for s in 0..<pass.streams {
      rows.removeAll(keepingCapacity: true)
      for t in 0..<pass.steps where batch.position + t >= options.washout {
        let row = t * pass.streams + s
        if targets[row] != Batch.noTarget { append(row, pass) }
      }
      sums.add(rows)
    }
    return sums.rows - before
  }

  private func append(_ row: Int, _ pass: Pass) {
    if model.head.bias != nil { rows.append(1) }
    for x in pass[model.top][row].elements { rows.append(Double(x)) }
    switch model.interface.output {
    case .numbers: for y in pass.batch.valueRows[row].elements { rows.append(Double(y)) }
    case .labels: for y in pass.batch.valueRows[row].elements { rows.append(2 * Double(y) - 1) }
    case .symbols(let count):
      let target = Int(pass.batch.targets.elements()[row])
      for symbol in 0..<count { rows.append(symbol == target ? 1 : 0) }
    }
  }

  /// Solves for the output layer from the sums of all ranks. Collective.
  func finish(_ weights: ParameterVector, _ world: any Communicator) throws {
    try world.sum(sums.sums)
    weights.rowsAreIndependent = false
    try world.unanimous {
      guard world.isRoot else { return }
      guard let solution = sums.solve(ridge: options.ridge) else {
        throw UsageError(
          "the readout has no single solution with ridge \(options.ridge): raise "
            + "training.readout.ridge")
      }
      let first = model.head.bias == nil ? 0 : 1
      let outputs = sums.outputs
      weights.update { weights in
        let matrix = weights[model.head.weight]
        for i in 0..<matrix.rows {
          for j in 0..<matrix.columns {
            matrix[i, j] = Real(solution[(first + j) * outputs + i])
          }
          if let bias = model.head.bias { weights[bias][0, i] = Real(solution[i]) }
        }
      }
    }
    try world.share(weights)
  }
}

extension Trainer {
  /// Runs over the training data and fits the output layer, to the end or until a stop is requested.
  /// Collective.
  ///
  /// The windows of this pass have no loss to report, and its partial sums are in no checkpoint: a run that
  /// is stopped starts its pass again.
  func fit(_ readout: ReadoutFitter) throws {
    while !coordinator.isComplete, !coordinator.isInterrupted {
      isTakingStep = true
      defer { isTakingStep = false }
      RankActivity.current.enter(.training, step: coordinator.state.step)
      if loader.startsAnew || !carriesState { microBatches.clear() }
      microBatches.load(step: coordinator.state.step)
      var sums = vote()
      let batch = microBatches.parts[0].batch
      if batch.streams > 0 {
        sums.targets = readout.add(tape.begin(batch, weights: weights))
        tape.carryStates()
      }
      try world.sum(&sums.values)
      if loader.isAtEpochStart { try readout.finish(weights, world) }
      coordinator.finish(sums, .update, epochEnds: loader.isAtEpochStart)
    }
  }
}
