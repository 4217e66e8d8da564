internal import Glibc
public import LinearAlgebra
internal import Sequences

/// Generates series of frames: each prediction of the model is its next input.
///
/// The model must predict frames as wide as its input frames: numbers, which are read as predicted,
/// or labels, which are sampled independently. Series run side by side as streams. `ends` tells
/// which series have ended, for models that predict it.
public final class SeriesGenerator {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let tape: Tape
  private let batch: Batch
  private let width: Int
  private let streams: Int
  private let random: Philox
  private let temperature: Double
  private var drawn: UInt64 = 0
  private var least = 0
  /// The pass of the step that was read last; nil before the first.
  private var pass: Pass?
  private var hasRestarted = false

  /// - Parameters:
  ///   - model: The model, whose outputs are its next inputs.
  ///   - weights: The weights of the model.
  ///   - streams: The number of parallel series.
  ///   - seed: The same seed and series give the same labels and ends.
  ///   - temperature: The divisor of the logits of labels, ends and lengths; 0 takes the likelier
  ///     value.
  public init(
    _ model: SequenceModel, weights: ParameterVector, streams: Int = 1, seed: UInt64 = 1,
    temperature: Double = 1
  ) {
    guard case .frames(let width) = model.interface.input,
      [.numbers(width), .labels(width)].contains(model.interface.output)
    else { preconditionFailure("outputs cannot be the next inputs: \(model.interface)") }
    self.model = model
    self.weights = weights
    self.width = width
    self.streams = streams
    self.temperature = temperature
    random = Philox(seed: seed, name: "generate")
    tape = Tape(model.plan, steps: 1, streams: streams, derivatives: false)
    let interface = model.interface
    batch = Batch(
      rows: streams,
      widths: Batch.Widths(
        features: width, values: width, condition: interface.condition,
        classes: interface.classes.count))
    batch.begin(steps: 1, streams: streams)
    batch.targets.elements().update(repeating: Batch.noTarget)
  }

  /// Clears the states: new series begin.
  /// - Parameters:
  ///   - least: The fewest outputs that a series may have, for models with length prediction: the
  ///     number of prompt frames minus one.
  ///   - known: The condition of each series, for a conditioned model.
  public func restart(atLeast least: Int = 0, knowing known: [DecoderInput] = []) {
    precondition(
      least <= model.longestPredicted ?? .max,
      "at least \(least) outputs, more than the model can predict")
    precondition(
      known.count == (model.interface.isConditioned ? streams : 0),
      "conditions for \(known.count) of \(streams) series")
    for (s, given) in known.enumerated() {
      batch.know(given.condition, classes: given.classes, of: s, model.interface)
    }
    self.least = least
    tape.clearCarried()
    batch.position = 0
    pass = nil
    hasRestarted = true
  }

  /// Reads one step of every series; `frames` holds the series one after another.
  public func read(_ frames: [Real]) {
    precondition(
      hasRestarted || !model.interface.isConditioned, "a conditioned model needs restart first")
    precondition(
      frames.count == streams * width, "\(frames.count) numbers for \(streams) frames of \(width)")
    if pass != nil {
      tape.carryStates()
      tape.states.note(values: frames)
      batch.position += 1
    }
    _ = batch.features.elements().update(fromContentsOf: frames)
    let pass = tape.begin(batch, weights: weights)
    if self.pass == nil { expectLengths(pass) }
    model.read(pass)
    self.pass = pass
  }

  /// Predicts the next step of every series, and reads it.
  public func next() -> [Real] {
    guard let pass else { preconditionFailure("predicting before anything was read") }
    let outputs = model.outputs(at: 0, pass)
    var predicted = (0..<streams).flatMap { Array(outputs[$0].elements) }
    if case .labels = model.interface.output {
      for j in predicted.indices { predicted[j] = holds(predicted[j]) ? 1 : 0 }
    }
    read(predicted)
    return predicted
  }

  /// Samples true with probability σ(l / T).
  private func holds(_ logit: Real) -> Bool {
    guard temperature > 0 else { return logit > 0 }
    defer { drawn += 1 }
    return random.fineUniform(drawn) * (1 + Glibc.exp(-Double(logit) / temperature)) < 1
  }

  /// Returns for each series whether it ends here, sampled again at each call; always false for
  /// models that do not predict ends.
  public func ends() -> [Bool] {
    guard let pass else { preconditionFailure("an end before anything was read") }
    if model.predictedLength != nil {
      return (0..<streams).map { batch.remaining(0, $0) == 0 }
    }
    guard let halting = model.halting else { return Array(repeating: false, count: streams) }
    let odds = halting.odds(at: 0, pass)
    return (0..<streams).map { holds(odds[$0, 0]) }
  }

  /// Generates until all series have ended, at most `steps` steps; returns each series up to its
  /// end.
  public func untilEnds(atMost steps: Int) -> [[Real]] {
    var series = [[Real]](repeating: [], count: streams)
    var hasEnded = [Bool](repeating: false, count: streams)
    for _ in 0..<steps {
      for (s, ends) in ends().enumerated() where ends { hasEnded[s] = true }
      guard hasEnded.contains(false) else { break }
      let frames = next()
      for s in 0..<streams where !hasEnded[s] {
        series[s] += frames[s * width..<(s + 1) * width]
      }
    }
    return series
  }

  /// Samples the number of outputs of each series, for models with length prediction.
  private func expectLengths(_ pass: Pass) {
    guard let length = model.predictedLength else { return }
    model.encode(pass)
    let lengths = Sampling(
      temperature: temperature, excluded: Set((0..<least).map { Int32($0) }))
    length.draw(lengths, random, &drawn, pass)
  }
}
