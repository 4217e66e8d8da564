internal import Glibc
public import LinearAlgebra

/// Goes on with series of frames on its own: what a model predicts is what it reads next.
///
/// For models that predict frames as wide as those they read: numbers as they are predicted, or labels,
/// each of which is drawn by itself. Series lie side by side as streams.
public final class FreeRun {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let tape: Tape
  private let batch: Batch
  private let width: Int
  private let streams: Int
  private let random: Philox
  private var drawn: UInt64 = 0
  private var hasRead = false

  /// - Parameters:
  ///   - streams: how many series go on at once.
  ///   - seed: the same seed and series draw the same labels.
  public init(
    _ model: SequenceModel, weights: ParameterVector, streams: Int = 1, seed: UInt64 = 1
  ) {
    guard case .frames(let width) = model.interface.input,
      [.numbers(width), .labels(width)].contains(model.interface.output),
      model.interface.condition == 0
    else { preconditionFailure("a free run of \(model.interface)") }
    self.model = model
    self.weights = weights
    self.width = width
    self.streams = streams
    random = Philox(seed: seed, name: "generate")
    tape = Tape(model.plan, steps: 1, streams: streams, derivatives: false)
    batch = Batch(rows: streams, widths: Batch.Widths(features: width, values: width))
    batch.begin(steps: 1, streams: streams)
    batch.targets.elements().update(repeating: Batch.noTarget)
  }

  /// Forgets what was read: new series begin.
  public func restart() {
    tape.clearCarried()
    batch.position = 0
    hasRead = false
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
  /// - Parameter temperature: logits of labels are divided by it; at 0 those hold that are likelier than
  ///   not.
  public func next(temperature: Double = 1) -> [Real] {
    precondition(hasRead, "predicting before anything was read")
    let outputs = model.outputs(at: 0, Pass(batch, on: tape, weights: weights))
    var predicted = (0..<streams).flatMap { Array(outputs[$0].elements) }
    if case .labels = model.interface.output {
      for j in predicted.indices { predicted[j] = holds(predicted[j], temperature) ? 1 : 0 }
    }
    read(predicted)
    return predicted
  }

  /// Draws whether a label holds, with probability σ(l / T).
  private func holds(_ logit: Real, _ temperature: Double) -> Bool {
    guard temperature > 0 else { return logit > 0 }
    defer { drawn += 1 }
    return random.uniform(drawn) * (1 + Glibc.exp(-Double(logit) / temperature)) < 1
  }
}
