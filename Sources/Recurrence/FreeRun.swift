public import LinearAlgebra

/// Goes on with series of numbers on its own: what a model predicts is what it reads next.
///
/// For models that predict frames as wide as those they read. Series lie side by side as streams.
public final class FreeRun {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let tape: Tape
  private let batch: Batch
  private let width: Int
  private let streams: Int
  private var hasRead = false

  /// - Parameter streams: how many series go on at once.
  public init(_ model: SequenceModel, weights: ParameterVector, streams: Int = 1) {
    guard case .frames(let width) = model.interface.input,
      model.interface.output == .numbers(width), model.interface.condition == 0
    else { preconditionFailure("a free run of \(model.interface)") }
    self.model = model
    self.weights = weights
    self.width = width
    self.streams = streams
    tape = Tape(model.plan, steps: 1, streams: streams, derivatives: false)
    batch = Batch(rows: streams, widths: Batch.Widths(features: width, values: width))
    batch.begin(steps: 1, streams: streams)
    batch.targets.elements().update(repeating: Batch.noTarget)
  }

  /// Reads one step of every series, one after the other.
  public func read(_ frames: [Real]) {
    precondition(
      frames.count == streams * width, "\(frames.count) numbers for \(streams) frames of \(width)")
    if hasRead {
      tape.turn()
      batch.position += 1
    }
    _ = batch.features.elements().update(fromContentsOf: frames)
    tape.begin(steps: 1, streams: streams)
    model.read(Pass(batch, on: tape, weights: weights))
    hasRead = true
  }

  /// Predicts the next step of every series, and reads it.
  public func next() -> [Real] {
    precondition(hasRead, "predicting before anything was read")
    let outputs = model.outputs(at: 0, Pass(batch, on: tape, weights: weights))
    let predicted = (0..<streams).flatMap { Array(outputs[$0].elements) }
    read(predicted)
    return predicted
  }
}
