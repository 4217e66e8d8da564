public import Collectives
public import Configuration
public import Datasets
internal import LinearAlgebra
public import Optimization
public import Recurrence

/// How a run ended.
public enum Outcome: Equatable, Sendable {
  /// Every step was taken, or validation stopped improving.
  case complete
  /// Somebody asked for an early end; the run can be resumed.
  case interrupted
  /// The loss or the gradient was not finite at this step.
  case diverged(step: Int)
  /// Every step was taken, and the model is worse than it was before the first, and than guessing.
  case worseThanGuessing
}

/// Trains a language model on one rank of a world.
///
/// `step` is the whole method: a window of this rank's streams goes forward and backward, the
/// gradients of all ranks are summed, and every rank makes the same update.
public final class Trainer {
  public let model: any Model
  public let weights: ParameterVector
  public let optimizer: any Optimizer
  public let average: WeightAverage?
  public let loader: any BatchLoader
  public internal(set) var coordinator: Coordinator

  let world: any Communicator
  /// The way to find the gradient of a window, with what it keeps between windows.
  let method: any GradientMethod
  private let gradient: ParameterVector
  private let reducer: any GradientReducer
  private let batch: Batch
  private let clipper: Clipper
  private let validation: Evaluation?
  private let carriesState: Bool
  /// What fits the output layer in place of steps down the gradient; nil where it is learnt.
  private let readout: Readout?

  /// The predictions fed to steps in place of targets; nil where targets alone are.
  private let predictions: FedPredictions?

  /// Where a run looks at its gradients now and then.
  private var diagnosis: GradientMonitor?

  /// Something that watches a run: the console, the metrics file, the checkpoints. Only the root's
  /// does anything with the world.
  let observer: any Observer
  /// Whether somebody wants this rank to stop; asked at every step, and now and then in an evaluation.
  package var isAskedToStop: () -> Bool = { StopRequest.isMade }
  /// Whether it is asked in the midst of a step.
  package private(set) var isTakingStep = false
  /// The time after which the ranks ask each other again in an evaluation.
  package var stopInterval = Duration.milliseconds(500)
  /// The memory of the windows.
  var tape: Tape { method.tape }
  /// Where steps report how long their parts take; nil costs nothing.
  var profile: Profile? {
    get { tape.profile }
    set { tape.profile = newValue }
  }

  /// Sets up everything that a run needs; the weights are those of the seed.
  /// - Parameter every: how many steps lie between two diagnoses of gradients; nil for none.
  /// - Throws: `DataError` where streams and data do not fit; `ScheduleError`.
  public init(
    _ options: RunOptions, dataset: Dataset, world: any Communicator,
    observer: any Observer = SilentObserver(), diagnosingEvery every: Int? = nil
  ) throws {
    self.world = world
    diagnosis = every.map { GradientMonitor(every: $0) }
    self.observer = observer
    model = options.model.makeModel(
      dataset.interface, seed: options.seed, objective: options.training.objective)
    loader = try dataset.train.loader(options.training.loaderRequest(seed: options.seed, in: world))
    validation = try dataset.valid.map { [model] in
      try Evaluation($0, plan: model.plan, options.evaluation, world: world)
    }
    coordinator = try Coordinator(
      options, evaluation: dataset.valid == nil ? nil : options.evaluation,
      stepsPerEpoch: loader.windowsPerEpoch,
      guess: options.model.lossOfGuessing(dataset.interface))
    let layout = ParameterLayout(model.plan)
    weights = ParameterVector(layout)
    weights.precision = options.training.precision
    weights.initialize(seed: options.seed)
    gradient = ParameterVector(layout)
    reducer = makeGradientReducer(for: layout, over: world)
    optimizer = options.training.optimizer.makeOptimizer(for: layout)
    average = options.training.average.map { [weights] in WeightAverage($0, of: weights) }
    clipper = Clipper(
      options.training.clip ?? ClipOptions(), output: Set(model.outputWeights))
    carriesState = options.training.carryState
    batch = loader.makeBatch()
    if let sentence = options.training.incompatibility(
      with: options.model, isText: dataset.interface.isRunning, evaluation: options.evaluation)
    {
      throw UsageError(sentence)
    }
    let request = options.training.gradientMethod(for: loader.windowSizes, model.plan)
    let tape = Tape(
      model.plan,
      fitting: request.windows.isEmpty ? [WindowSize(steps: 1, streams: 1)] : request.windows,
      atMost: request.stepsAtOnce, derivatives: options.training.readout == nil,
      resets: loader.mayReset || request.needsResets)
    method = request.make(model.plan, on: tape, batch.widths)
    predictions = try FedPredictions(options, dataset, of: model, in: batch, on: tape)
    readout = options.training.readout.flatMap { [model] readout in
      (model as? SequenceModel).map { Readout(readout, of: $0) }
    }
    // What a stream's states are must not depend on the streams beside it, which other ranks have.
    weights.rowsAreIndependent = readout != nil
  }

  /// Takes in one window of the pass that a readout is fitted in, and fits it after the last.
  private func fit(_ readout: Readout) throws -> StepReport {
    var watch = Stopwatch()
    let epoch = coordinator.state.epoch
    if loader.startsAnew || !carriesState { method.clear() }
    loader.next(into: batch)
    tape.loss.clear()
    var sums = vote(on: tape.loss)
    if batch.streams > 0 {
      sums.targets = readout.add(tape.begin(batch, weights: weights))
      tape.carryStates()
    }
    watch.compute = watch.lap()
    try world.sum(&sums.values)
    watch.communication = watch.lap()
    if loader.isAtEpochStart { try readout.finish(weights, world) }
    coordinator.finish(sums, .update, epochEnds: loader.isAtEpochStart)
    watch.update = watch.lap()
    return StepReport(
      step: coordinator.state.step, epoch: epoch, tokens: coordinator.state.tokens,
      score: Score(lossSum: 0, targets: sums.targets), learningRate: 0, gradientNorm: 0,
      verdict: .update, time: watch, gradients: nil)
  }

  /// Takes one step and says what it did.
  package func step() throws -> StepReport {
    isTakingStep = true
    defer { isTakingStep = false }
    if let readout { return try fit(readout) }
    var watch = Stopwatch()
    let (rate, epoch) = (coordinator.rate, coordinator.state.epoch)
    if loader.startsAnew || !carriesState { method.clear() }
    profile?.start()
    loader.next(into: batch)
    profile?.mark(.data)
    let step = coordinator.state.step + 1
    predictions?.feed(batch, step: step - 1, weights: weights, gradient: gradient)
    if diagnosis?.isDue(at: step) == true {
      try diagnosis?.measure(self, batch, gradient)
      watch.restart()
    }
    gradient.clear()
    profile?.mark(.optimizer)
    if batch.streams > 0 {
      method.differentiate(model, batch, weights: weights, gradient: gradient)
    } else {
      tape.loss.clear()
    }
    var sums = vote(on: tape.loss)
    watch.compute = watch.lap()
    try reducer.sum(gradient)
    try world.sum(&sums.values)
    watch.communication = watch.lap()
    profile?.mark(.reduction)
    let scale = coordinator.gradientScale(of: sums)
    let found = diagnosis?.report(step: step, self, gradient, scale: scale)
    if found != nil { watch.restart() }
    let clipped = clipper.clip(gradient, weights: weights, scale: scale)
    let verdict = coordinator.judge(sums, norm: clipped.norm)
    if verdict == .update {
      optimizer.update(weights, gradient: gradient, rate: rate, scale: clipped.scale)
      average?.update(from: weights)
    }
    profile?.mark(.optimizer)
    if verdict == .skip {
      method.discard()
    } else if batch.streams > 0 {
      method.carryStates()
    }
    coordinator.finish(sums, verdict, epochEnds: loader.isAtEpochStart)
    watch.update = watch.lap()
    profile?.mark(.other)
    return StepReport(
      step: coordinator.state.step, epoch: epoch, tokens: coordinator.state.tokens,
      score: Score(lossSum: sums.loss, targets: sums.targets, correct: sums.correct),
      learningRate: rate, gradientNorm: clipped.norm, verdict: verdict, time: watch,
      gradients: found)
  }

  /// Takes steps until the run is complete, or somebody asks for an early end.
  public func run() throws -> Outcome {
    // From here on there is something to save before the process ends.
    StopRequest.waitForSteps()
    if coordinator.hasOpenEvaluation {
      guard try evaluate() else { return .interrupted }
      try save()
    }
    while !coordinator.isComplete {
      let report = try step()
      // The windows of a readout's pass have no loss to show.
      if readout == nil { observer.observe(report, coordinator) }
      if report.verdict == .diverged { return .diverged(step: report.step) }
      if coordinator.isEvaluationDue || coordinator.isCheckpointDue { try checkAgreement() }
      if coordinator.isEvaluationDue, try !evaluate() {
        // What was learnt is kept; whoever resumes begins with this evaluation.
        coordinator.leaveEvaluationOpen()
        try save()
        return .interrupted
      }
      if coordinator.isCheckpointDue {
        try save()
        // Saving takes long where models are large.
        if !coordinator.isComplete, try isAnyAskedToStop() { return .interrupted }
      }
      if coordinator.isInterrupted { return .interrupted }
    }
    return .complete
  }

  /// Scores the validation text with the averaged weights where there is an average.
  /// - Returns: false where somebody asked for an early end before it was done.
  private func evaluate() throws -> Bool {
    guard let validation else { preconditionFailure("an evaluation without validation data") }
    guard
      let score = try validation.run(model, weights: average?.vector ?? weights, votes: votes)
    else { return false }
    let isBest = coordinator.finish(evaluation: score.loss, guess: score.guess)
    observer.observe(score, isBest: isBest, coordinator)
    return true
  }

  /// Requests to stop while ranks are at work of their own.
  var votes: StopVotes { StopVotes(of: world, every: stopInterval, isAsked: isAskedToStop) }

  private func isAnyAskedToStop() throws(CommunicationError) -> Bool {
    var asked: [Int32] = [isAskedToStop() ? 1 : 0]
    try world.max(&asked)
    return asked[0] > 0
  }

  private func vote(on loss: Loss) -> StepSums {
    var sums = StepSums()
    sums.loss = loss.sum
    sums.targets = loss.targets
    sums.correct = loss.correct
    sums.sequences = batch.sequences
    sums.stopVotes = isAskedToStop() ? 1 : 0
    sums.clockVotes = observer.wantsCheckpoint(coordinator) ? 1 : 0
    return sums
  }

  /// Hands the run as it stands to the observer. Collective.
  func save() throws {
    try observer.save(try snapshot(), isBest: coordinator.isBest)
  }
}
