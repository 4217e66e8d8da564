internal import Glibc
public import LinearAlgebra

/// Goes on with series of frames on its own: what a model predicts is what it reads next.
///
/// For models that predict frames as wide as those they read: numbers as they are predicted, or
/// labels, each of which is drawn by itself. Series lie side by side as streams. A model that says
/// where a series ends is asked for it with `ends`.
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
  private var hasRead = false
  private var hasRestarted = false

  /// - Parameters:
  ///   - streams: how many series go on at once.
  ///   - seed: the same seed and series draw the same labels and ends.
  ///   - temperature: the logits of labels, ends and lengths are divided by it; 0 takes what is
  ///     likelier.
  public init(
    _ model: SequenceModel, weights: ParameterVector, streams: Int = 1, seed: UInt64 = 1,
    temperature: Double = 1
  ) {
    guard case .frames(let width) = model.interface.input,
      [.numbers(width), .labels(width)].contains(model.interface.output)
    else { preconditionFailure("a free run of \(model.interface)") }
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

  /// Forgets what was read: new series begin.
  /// - Parameters:
  ///   - least: the fewest outputs that a series may have, where the model predicts how many: the
  ///     frames of a start, but the first.
  ///   - known: what is known of each series as a whole, for a model that asks for that.
  public func restart(atLeast least: Int = 0, knowing known: [DecoderInput] = []) {
    precondition(
      least <= model.longestPredicted ?? .max, "\(least) outputs, more than are predicted")
    precondition(
      known.count == (model.interface.isConditioned ? streams : 0),
      "what is known of \(known.count) series, of \(streams)")
    for (s, given) in known.enumerated() {
      batch.know(given.condition, classes: given.classes, of: s, model.interface)
    }
    self.least = least
    tape.clearCarried()
    batch.position = 0
    hasRead = false
    hasRestarted = true
  }

  /// Reads one step of every series, one after the other.
  public func read(_ frames: [Real]) {
    precondition(
      hasRestarted || !model.interface.isConditioned, "series of which nothing is known")
    precondition(
      frames.count == streams * width, "\(frames.count) numbers for \(streams) frames of \(width)")
    if hasRead {
      tape.carryStates()
      tape.note(values: frames)
      batch.position += 1
    }
    _ = batch.features.elements().update(fromContentsOf: frames)
    tape.begin(steps: 1, streams: streams)
    if !hasRead { expectLengths() }
    model.read(Pass(batch, on: tape, weights: weights))
    hasRead = true
  }

  /// Predicts the next step of every series, and reads it.
  public func next() -> [Real] {
    precondition(hasRead, "predicting before anything was read")
    let outputs = model.outputs(at: 0, Pass(batch, on: tape, weights: weights))
    var predicted = (0..<streams).flatMap { Array(outputs[$0].elements) }
    if case .labels = model.interface.output {
      for j in predicted.indices { predicted[j] = holds(predicted[j]) ? 1 : 0 }
    }
    read(predicted)
    return predicted
  }

  /// Draws whether something holds, with probability σ(l / T).
  private func holds(_ logit: Real) -> Bool {
    guard temperature > 0 else { return logit > 0 }
    defer { drawn += 1 }
    return random.fineUniform(drawn) * (1 + Glibc.exp(-Double(logit) / temperature)) < 1
  }

  /// Whether each series ends with what was read, drawn anew at each call; never where the model
  /// does not say where series end.
  public func ends() -> [Bool] {
    precondition(hasRead, "an end before anything was read")
    if model.predictedLength != nil {
      return (0..<streams).map { batch.remaining(0, $0) == 0 }
    }
    guard let halting = model.halting else { return Array(repeating: false, count: streams) }
    let odds = halting.odds(at: 0, Pass(batch, on: tape, weights: weights))
    return (0..<streams).map { holds(odds[$0, 0]) }
  }

  /// Goes on with every series until all have ended, at most so many steps; returns what each has
  /// until its end.
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

  /// Draws how many outputs each series has, where the model predicts it.
  private func expectLengths() {
    guard let length = model.predictedLength else { return }
    let pass = Pass(batch, on: tape, weights: weights)
    model.encode(pass)
    let lengths = Sampling(
      temperature: temperature, excluded: Set((0..<least).map { Int32($0) }))
    length.draw(lengths, random, &drawn, pass)
  }
}
