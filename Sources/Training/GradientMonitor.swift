internal import Collectives
internal import LinearAlgebra
internal import Recurrence
internal import Sequences

/// The gradient diagnosis of a run, made at its first step and at every n-th step.
struct GradientMonitor {
  let every: Int
  private var diagnosis: GradientDiagnosis?
  private var sums: [Double] = []
  private var isTaken = false

  init(every: Int) { self.every = every }

  func isDue(at step: Int) -> Bool { step == 1 || step.isMultiple(of: every) }

  /// Measures the coming window, with the weights and the states of the next training step. The
  /// caller clears the gradient. Collective.
  mutating func measure(_ trainer: Trainer, _ gradient: ParameterVector)
    throws(CommunicationError)
  {
    if diagnosis == nil {
      let sizes = trainer.microBatches.windowSizes
      var longest = [Int32(sizes.map { max($0.steps, $0.sourceSteps) }.max() ?? 1)]
      try trainer.world.max(&longest)
      diagnosis = GradientDiagnosis(of: trainer.model, steps: Int(longest[0]))
    }
    guard let diagnosis else { return }
    sums = diagnosis.zero
    trainer.microBatches.inTurn { part in
      guard part.batch.streams > 0 else { return }
      let found = diagnosis.measure(
        trainer.model, part.batch, on: trainer.tape, weights: trainer.weights, gradient: gradient)
      for (place, value) in found.enumerated() { sums[place] += value }
    }
    try trainer.world.sum(&sums)
    isTaken = true
  }

  /// Returns the report of a measured step, on the root, before its update.
  /// - Parameters:
  ///   - gradient: The gradient summed over all ranks.
  ///   - scale: The factor of the update on the gradient.
  mutating func report(
    step: Int, _ trainer: Trainer, _ gradient: ParameterVector, scale: Double
  ) -> GradientReport? {
    guard isTaken, let diagnosis else { return nil }
    isTaken = false
    guard trainer.world.isRoot else { return nil }
    return GradientReport(
      step: step, norms: gradient.normsByLayer.map { ($0.layer, $0.norm * scale) },
      diagnosis.findings(sums, weights: trainer.weights))
  }
}

extension ParameterVector {
  /// The Euclidean norm of each layer's parameters, from the first layer to the last.
  fileprivate var normsByLayer: [(layer: String, norm: Double)] {
    var layers: [(layer: String, norm: Double)] = []
    for entry in layout.entries.reversed() {
      let square = squaredNorm(UnsafeBufferPointer(elements(of: entry)))
      if let place = layers.firstIndex(where: { $0.layer == entry.layer }) {
        layers[place].norm += square
      } else {
        layers.append((entry.layer, square))
      }
    }
    return layers.map { ($0.layer, $0.norm.squareRoot()) }
  }
}
