internal import LinearAlgebra
public import Sequences

/// Scheduled sampling (Bengio, Vinyals, Jaitly & Shazeer 2015): in training, a step reads the
/// target of the step before with probability ε, and otherwise the model's own prediction for that
/// step.
///
/// A prediction depends on the inputs before it. So the model first runs step by step, with the
/// weights, the states and the dropout of training, until the input of every step is decided. Then
/// the window runs as usual with these inputs. No gradient flows through a choice. The first step
/// of a window keeps the input that the data gives, because its prediction would belong to the
/// window before.
///
/// Choices use random numbers that depend on the seed, the stream or sequence, the position in it
/// and the epoch.
public final class ScheduledSampling {
  /// The way in which a prediction is chosen.
  public enum Choice: String, Codable, CaseIterable, Sendable {
    /// A sampled symbol, or labels that are sampled independently.
    case sample
    /// The likeliest symbol, or the labels with a probability above ½.
    case greedy
  }

  private let model: SequenceModel
  private let tape: Tape
  private let choice: Choice
  /// True if the input of each step is the target of the step before.
  private let readsTargets: Bool
  /// True if bidirectional layers need all steps at once.
  private let needsAllSteps: Bool
  /// The batch of a single step of the window.
  private let step: Batch
  /// The carried states before the window.
  private let before: Buffer<Real>
  private let random: Philox
  private let sampling: Sampling
  private let end: Int?

  /// - Parameters:
  ///   - choice: The way in which predictions are chosen. It has no effect on numbers, which are
  ///     fed as predicted.
  ///   - model: The model that is trained, whose predictions are fed back.
  ///   - readsTargets: True if the input of each step is the target of the step before.
  ///   - batch: The batch of the windows.
  ///   - tape: A tape with gradients and with memory for a window of `batch`.
  ///   - seed: The key of the random choices.
  public init(
    _ choice: Choice, of model: SequenceModel, readsTargets: Bool, in batch: Batch, on tape: Tape,
    seed: UInt64
  ) {
    precondition(
      readsTargets || model.firstTeacherForced != nil, "no step of this model reads a prediction")
    self.model = model
    self.tape = tape
    self.choice = choice
    self.readsTargets = readsTargets
    needsAllSteps = model.options.layers.contains { $0.bidirectional != nil }
    precondition(!(needsAllSteps && readsTargets), "a bidirectional layer would read its targets")
    let streams = batch.lengths.count
    step = Batch(rows: streams, streams: streams, widths: batch.widths, source: batch.source)
    before = Buffer(count: tape.states.count)
    random = Philox(seed: seed, name: "scheduled sampling")
    end = model.interface.ends?.symbol
    // A sequence with a further step has not ended.
    sampling = Sampling(excluded: Set(end.map { [Int32($0)] } ?? []))
    batch.makeRoomForPredictions()
  }

  /// Replaces some inputs of a window with the model's predictions.
  /// - Parameters:
  ///   - batch: The window, whose targets are given.
  ///   - probability: The probability ε of keeping a target.
  ///   - weights: The weights with which predictions are made.
  ///   - gradient: The gradient of training, which is not changed; it turns on training's dropout.
  public func feed(
    _ batch: Batch, targetsWith probability: Double, weights: ParameterVector,
    gradient: ParameterVector
  ) {
    batch.feedsPredictions = false
    guard let last = lastChosen(batch, probability) else { return }
    batch.fed.copy(batch.rows, from: batch.targets, at: 0)
    batch.fedValues.copy(batch.rows * batch.widths.values, from: batch.values, at: 0)
    if needsAllSteps {
      batch.feedsPredictions = true
      iterate(batch, probability, weights, gradient)
    } else {
      tape.states.store(in: before)
      for t in 0...last { take(t, of: batch, probability, weights, gradient) }
      tape.states.restore(from: before)
      batch.feedsPredictions = true
    }
  }

  /// Runs step t of the window and decides the inputs of step t + 1.
  private func take(
    _ t: Int, of batch: Batch, _ probability: Double, _ weights: ParameterVector,
    _ gradient: ParameterVector
  ) {
    step.copy(t..<t + 1, of: batch)
    let pass = tape.begin(
      step, weights: weights, gradient: gradient, isRepeated: true, keepsSource: t > 0)
    if t == 0 { model.encode(pass) }
    model.goOn(pass)
    choose(t, from: model.outputs(at: 0, pass), batch, probability)
    tape.carryStates()
    guard model.firstTeacherForced != nil else { return }
    for s in 0..<batch.streams where isChosen(t, s, batch, probability) {
      let row = t * batch.streams + s
      if batch.widths.values > 0 {
        tape.states.note(values: batch.fedRows[row], of: s)
      } else {
        tape.states.note(target: batch.fed.start[row], of: s)
      }
    }
  }

  /// Runs the layers with target feedback over the whole window with the choices of the previous
  /// iteration, until no choice changes. Each iteration makes the choices of at least one more step
  /// equal to those of a step-by-step run.
  private func iterate(
    _ batch: Batch, _ probability: Double, _ weights: ParameterVector, _ gradient: ParameterVector
  ) {
    let pass = tape.begin(batch, weights: weights, gradient: gradient, isRepeated: true)
    model.encode(pass)
    let first = model.firstTeacherForced ?? 0
    for layer in model.layers[..<first] { layer.forward(pass) }
    for _ in 0..<batch.steps {
      for layer in model.layers[first...] { layer.forward(pass) }
      var changed = false
      for t in 0..<batch.steps - 1 where hasChoice(t, batch, probability) {
        if choose(t, from: model.outputs(at: t, pass), batch, probability) { changed = true }
      }
      if !changed { break }
    }
  }

  /// Makes the choices of step t; returns true if any of them changed.
  @discardableResult
  private func choose(_ t: Int, from outputs: Matrix, _ batch: Batch, _ probability: Double)
    -> Bool
  {
    var changed = false
    for s in 0..<batch.streams where isChosen(t, s, batch, probability) {
      let row = t * batch.streams + s
      if batch.widths.values > 0 {
        let y = batch.fedRows[row]
        for j in 0..<y.count {
          let value = prediction(outputs[s, j], j, t, s, batch)
          if y[j].bitPattern != value.bitPattern { changed = true }
          y[j] = value
        }
        if readsTargets { batch.featureRows[row + batch.streams].copy(y) }
      } else {
        let symbol = symbol(outputs[s], t, s, batch) ?? batch.targets.start[row]
        if batch.fed.start[row] != symbol { changed = true }
        batch.fed.start[row] = symbol
        if readsTargets { batch.inputs.start[row + batch.streams] = symbol }
      }
    }
    return changed
  }

  private func symbol(_ logits: Row, _ t: Int, _ s: Int, _ batch: Batch) -> Int32? {
    if choice == .sample { return sampling.draw(logits, number(1, t, s, batch)) }
    if let end { logits[end] = -.infinity }
    return Int32(logits.indexOfMaximum)
  }

  private func prediction(_ output: Real, _ j: Int, _ t: Int, _ s: Int, _ batch: Batch) -> Real {
    guard case .labels = model.interface.output else { return output }
    if choice == .greedy { return output > 0 ? 1 : 0 }
    return number(1 + j, t, s, batch) < Double(sigmoid(output)) ? 1 : 0
  }

  /// True if step t + 1 of a stream reads the prediction of step t.
  private func isChosen(_ t: Int, _ s: Int, _ batch: Batch, _ probability: Double) -> Bool {
    let (row, next) = (t * batch.streams + s, (t + 1) * batch.streams + s)
    guard t + 1 < Int(batch.lengths.start[s]), batch.hasTarget(row) else { return false }
    if batch.hasResets, batch.resets.start[next] != 0 { return false }
    return number(0, t, s, batch) >= probability
  }

  private func hasChoice(_ t: Int, _ batch: Batch, _ probability: Double) -> Bool {
    (0..<batch.streams).contains { isChosen(t, $0, batch, probability) }
  }

  /// Returns the last step whose prediction is fed to the next step; nil if there is none.
  private func lastChosen(_ batch: Batch, _ probability: Double) -> Int? {
    guard probability < 1, batch.streams > 0 else { return nil }
    return (0..<batch.steps).dropLast().last { hasChoice($0, batch, probability) }
  }

  /// Returns a random number in [0, 1) for step t of a stream. Number 0 decides whether its
  /// prediction is fed, the others decide which.
  private func number(_ index: Int, _ t: Int, _ s: Int, _ batch: Batch) -> Double {
    random.fineUniform(
      index, stream: Int(batch.keys.start[s]), position: batch.position + t, epoch: batch.epoch)
  }
}
