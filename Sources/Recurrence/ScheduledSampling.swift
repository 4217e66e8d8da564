internal import LinearAlgebra

/// Scheduled sampling (Bengio, Vinyals, Jaitly & Shazeer 2015): in training, a step is fed the target of
/// the step before with probability ε, and what the model itself predicts there otherwise.
///
/// A prediction depends on what was fed before it, so steps are taken one after the other here, with
/// the weights, the states and the dropout of training, until it is known what each of them is fed.
/// The window then runs as any other, with that as its input: no gradient flows through a choice.
/// Nobody knows a target of the window before, so the first step of a window is fed what the data says.
///
/// Choices come from numbers that are functions of the seed and of the stream or sequence, the
/// position in it and the epoch.
public final class ScheduledSampling {
  /// The choice made of a prediction where it is fed.
  public enum Choice: String, Codable, CaseIterable, Sendable {
    /// A symbol that is drawn, and each label by itself.
    case sample
    /// The likeliest symbol, and the labels that are likelier to hold than not.
    case greedy
  }

  private let model: SequenceModel
  private let tape: Tape
  private let choice: Choice
  /// Says whether each step reads what the step before asks for as its input.
  private let readsTargets: Bool
  /// Says whether layers below those that are fed need all steps at once.
  private let needsAllSteps: Bool
  /// One step of the window.
  private let step: Batch
  /// The states before the window.
  private let before: Buffer<Real>
  private let random: Philox
  private let sampling: Sampling
  private let end: Int?

  /// - Parameters:
  ///   - choice: of numbers, which are fed as they are predicted, of no account.
  ///   - readsTargets: whether each step reads what the step before asks for as its input.
  ///   - batch: the windows' batch.
  ///   - tape: with derivatives and with room for a window of `batch`.
  public init(
    _ choice: Choice, of model: SequenceModel, readsTargets: Bool, in batch: Batch, on tape: Tape,
    seed: UInt64
  ) {
    precondition(
      readsTargets || model.firstTeacherForced != nil, "nothing is fed what is predicted")
    self.model = model
    self.tape = tape
    self.choice = choice
    self.readsTargets = readsTargets
    needsAllSteps = model.options.layers.contains { $0.bidirectional != nil }
    precondition(!(needsAllSteps && readsTargets), "reading backwards what is to be predicted")
    let streams = batch.lengths.count
    step = Batch(rows: streams, streams: streams, widths: batch.widths, source: batch.source)
    before = Buffer(count: tape.carriedCount)
    random = Philox(seed: seed, name: "scheduled sampling")
    end = model.interface.ends?.symbol
    // A sequence that goes on has not ended.
    sampling = Sampling(excluded: Set(end.map { [Int32($0)] } ?? []))
    batch.makeRoomForPredictions()
  }

  /// Puts what the model predicts in place of some of what a window is fed.
  /// - Parameters:
  ///   - probability: ε.
  ///   - gradient: is not changed; dropout is that of training.
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
      tape.storeCarried(in: before)
      for t in 0...last { take(t, of: batch, probability, weights, gradient) }
      tape.restoreCarried(from: before)
      batch.feedsPredictions = true
    }
  }

  /// Takes step t of the window, and decides what the next one is fed.
  private func take(
    _ t: Int, of batch: Batch, _ probability: Double, _ weights: ParameterVector,
    _ gradient: ParameterVector
  ) {
    step.copy(t..<t + 1, of: batch)
    if t == 0 { tape.begin(step) } else { tape.begin(steps: 1, streams: step.streams) }
    let pass = Pass(step, on: tape, weights: weights, gradient: gradient, isRepeated: true)
    if t == 0 { model.encode(pass) }
    model.goOn(pass)
    choose(t, from: model.outputs(at: 0, pass), batch, probability)
    tape.carryStates()
    guard model.firstTeacherForced != nil else { return }
    for s in 0..<batch.streams where isChosen(t, s, batch, probability) {
      let row = t * batch.streams + s
      if batch.widths.values > 0 {
        tape.note(values: batch.fedRows[row], of: s)
      } else {
        tape.note(target: batch.fed.start[row], of: s)
      }
    }
  }

  /// Runs the layers that are fed over the whole window with the choices of the time before, until none
  /// changes: each time the choices of one step more are those that taking one step after the other makes.
  private func iterate(
    _ batch: Batch, _ probability: Double, _ weights: ParameterVector, _ gradient: ParameterVector
  ) {
    tape.begin(batch)
    let pass = Pass(batch, on: tape, weights: weights, gradient: gradient, isRepeated: true)
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

  /// Makes the choices of step t; returns whether any is another than before.
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

  /// Says whether the step after step t of a stream is fed what is predicted at step t.
  private func isChosen(_ t: Int, _ s: Int, _ batch: Batch, _ probability: Double) -> Bool {
    let (row, next) = (t * batch.streams + s, (t + 1) * batch.streams + s)
    guard t + 1 < Int(batch.lengths.start[s]), batch.hasTarget(row) else { return false }
    if batch.hasResets, batch.resets.start[next] != 0 { return false }
    return number(0, t, s, batch) >= probability
  }

  private func hasChoice(_ t: Int, _ batch: Batch, _ probability: Double) -> Bool {
    (0..<batch.streams).contains { isChosen(t, $0, batch, probability) }
  }

  /// The last step whose prediction is fed to another; nil for none.
  private func lastChosen(_ batch: Batch, _ probability: Double) -> Int? {
    guard probability < 1, batch.streams > 0 else { return nil }
    return (0..<batch.steps).dropLast().last { hasChoice($0, batch, probability) }
  }

  /// The numbers in [0, 1) that decide about step t of a stream: the first whether its prediction is fed,
  /// the others which.
  private func number(_ index: Int, _ t: Int, _ s: Int, _ batch: Batch) -> Double {
    random.fineUniform(
      index, stream: Int(batch.keys.start[s]), position: batch.position + t, epoch: batch.epoch)
  }
}
