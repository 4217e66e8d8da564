public import Datasets
public import LinearAlgebra
public import Recurrence
public import Sequences

/// The predictions of a model at every step of a part of the data, window by window, without a
/// loss.
///
/// Layers with target feedback read the model's own predictions, unless the targets are inputs
/// anyway.
public struct Predictions {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let loader: any BatchLoader
  private let feedsPredictions: Bool

  /// - Parameters:
  ///   - model: The model that predicts.
  ///   - weights: The weights of the model.
  ///   - part: The data whose inputs it reads.
  ///   - request: The windows; with several ranks, those of the rank's share.
  /// - Throws: `DataError` if the data has no such windows.
  public init(
    of model: SequenceModel, weights: ParameterVector, on part: Split, _ request: LoaderRequest
  ) throws(DataError) {
    self.model = model
    self.weights = weights
    loader = try part.loader(request)
    feedsPredictions = model.plan.feedsTargets && !part.readsItsTargets
  }

  /// Calls `body` with the outputs of all streams, streams × width, at each step of each window:
  /// logits of symbols or labels, or numbers. They are valid until the next call.
  public func forEach(_ body: (_ batch: Batch, _ t: Int, _ outputs: Matrix) -> Void) {
    guard !loader.windowSizes.isEmpty else { return }
    let batch = loader.makeBatch()
    let windows = WindowRunner(
      model.plan, fitting: loader.windowSizes, resets: loader.mayReset)
    loader.rewind()
    for _ in 0..<loader.windowsPerEpoch {
      if loader.startsAnew { windows.clear() }
      loader.next(into: batch)
      guard batch.streams > 0 else { continue }
      windows.run(batch, weights: weights) { pass in
        if feedsPredictions { model.predict(pass) } else { model.read(pass) }
        for t in 0..<batch.steps { body(batch, t, model.outputs(at: t, pass)) }
      }
    }
  }
}
