public import Collectives
public import Configuration
public import Datasets
package import Inference
internal import LinearAlgebra
public import Optimization
public import Recurrence
internal import Sequences

/// The outcome of a run.
public enum Outcome: Equatable, Sendable {
  /// Every step was taken, or validation stopped improving.
  case complete
  /// A stop was requested; the run can be resumed.
  case interrupted
  /// The loss or the gradient was not finite at this step.
  case diverged(step: Int)
  /// The loss of this step was a spike, and `training.on_spike` ends the run.
  case spiked(step: Int)
  /// The last checkpoint of the run could not be written.
  case unsaved
  /// Every step was taken, and the model is worse than before the first step, and worse than
  /// guessing.
  case worseThanGuessing
}

/// Trains a language model on one rank of a world.
///
/// `step` is the whole method: forward and backward pass over a window of this rank's streams, an
/// all-reduce of the gradient, and the same update on every rank.
public final class Trainer {
  public let model: any Model
  public let weights: ParameterVector
  public let optimizer: any Optimizer
  public let average: WeightAverage?
  /// The loader of this rank's first micro-batch, which tells the position of all.
  public var loader: any BatchLoader { microBatches.loader }
  public package(set) var coordinator: Coordinator

  let world: any Communicator
  /// The parts of this rank's streams, with what is kept between windows.
  var microBatches: MicroBatches
  /// Makes the parts for a number of updates in which each window is read.
  let makeMicroBatches: (_ updates: Int) throws -> MicroBatches
  private let gradient: ParameterVector
  /// The order in which micro-batches are summed, where it must not depend on the ranks; nil for one after
  /// another.
  private let tree: GradientTree?
  let reducer: any GradientReducer
  /// The division of the parameters among ranks; nil for ranks that each update all.
  let sharing: ParameterSharing?
  /// A note for the user on how ranks share memory; nil for none.
  package let sharingNote: String?
  /// The outer steps of ranks that train alone between them; nil for a sum of gradients at every step.
  let outer: OuterSteps?
  private let clipper: Clipper
  /// The exchange of what ranks have computed of an update; nil if each computes all of it, as ranks that train
  /// alone do.
  private let results: (sum: any PendingSum, count: Int)?
  private let validation: Evaluation?
  /// The writer of texts while training; nil for none.
  private let samples: TrainingSamples?
  let carriesState: Bool
  /// The bytes of text that a target of training stands for; nil if targets are not text.
  private let bytesPerTarget: Double?
  let seed: UInt64
  /// The fitter of the output layer; nil for training by gradients.
  private let readout: ReadoutFitter?

  /// True if gradients are shown to the sinks.
  private let reportsGradients: Bool

  /// The gradient diagnosis; nil for none.
  private var diagnosis: GradientMonitor?

  /// The places for the results of steps and evaluations.
  let sinks: [any MetricsSink]
  /// The place for checkpoints; nil on every rank but the root, and for a run that saves none.
  let checkpoints: (any CheckpointWriter)?
  /// The memory of snapshots that are copies.
  var copies = BufferPool<Real>()
  /// The seconds for which the snapshot of the checkpoint that is being written stopped training.
  var snapshotSeconds = 0.0
  /// Returns true if this rank was asked to stop; called at every step, and from time to time in an
  /// evaluation.
  package var isAskedToStop: () -> Bool = { StopRequest.isMade }
  /// True while a step is computed.
  package internal(set) var isTakingStep = false
  /// The time between votes of the ranks in an evaluation.
  package var stopInterval = Duration.milliseconds(500)
  /// The cost of the messages of the last step to this rank.
  package var traffic: Traffic {
    var traffic = outer?.traffic ?? reducer.traffic
    traffic.bytes += (sharing?.bytesSent ?? 0) + (results?.sum.bytesSent ?? 0)
    return traffic
  }
  /// The memory of the windows.
  var tape: Tape { microBatches.tape }
  /// The profile that records the time of the parts of a step; nil for none.
  package var profile: Profile? {
    get { tape.profile }
    set { tape.profile = newValue }
  }

  /// Prepares everything that a run needs, with initial weights.
  /// - Parameters:
  ///   - options: The configuration of the run.
  ///   - dataset: The data of the run, the same on every rank.
  ///   - world: The ranks that train together.
  ///   - sinks: The places for the results; empty on every rank but the root.
  ///   - checkpoints: The place for checkpoints; nil on every rank but the root.
  ///   - makeReducer: Makes the sum of gradients over ranks.
  ///   - every: The number of steps between gradient diagnoses; nil for none.
  /// - Throws: `DataError` if streams and data do not fit; `ScheduleError`.
  public init(
    _ options: RunOptions, dataset: Dataset, world: any Communicator,
    sinks: [any MetricsSink] = [], checkpoints: (any CheckpointWriter)? = nil,
    reducer makeReducer: (ReducerRequest) -> any GradientReducer = makeGradientReducer,
    diagnosingEvery every: Int? = nil
  ) throws {
    (self.world, seed) = (world, options.seed)
    reportsGradients = ParameterSample.isShown(options, dataset)
    diagnosis = every.map { GradientMonitor(every: $0) }
    self.sinks = sinks
    self.checkpoints = checkpoints
    model = options.makeModel(for: dataset)
    let layout = ParameterLayout(model.plan).with(options.training.groups)
    let communication = options.communication
    // Collective: nothing before it may fail on some ranks only.
    (sharing, sharingNote) = try ParameterSharing.make(options, layout, model.gradientStages, world)
    weights = sharing.map { ParameterVector($0.placed) } ?? ParameterVector(layout)
    try sharing?.initialize(weights, seed: options.seed) ?? weights.initialize(seed: options.seed)
    makeMicroBatches = { [model] updates in
      try MicroBatches(options, dataset, model, in: world, updates: updates)
    }
    let training = options.training
    microBatches = try makeMicroBatches(
      training.ramp?.updates(step: 0, batchSize: training.batchSize) ?? 1)
    validation = try dataset.valid.map { [model] in
      try Evaluation($0, of: dataset, plan: model.plan, options, world: world)
    }
    samples = try TrainingSamples(options, model, dataset)
    bytesPerTarget = dataset.bytesPerTarget(of: dataset.train)
    coordinator = try Coordinator(
      options, evaluation: dataset.valid == nil ? nil : options.evaluation,
      stepsPerEpoch: Self.stepsPerEpoch(options, microBatches.loader),
      windowLength: microBatches.loader.stepsPerEpoch,
      guess: options.model.lossOfGuessing(dataset.interface))
    weights.precision = options.training.precision
    gradient = ParameterVector(layout, buffer: sharing?.gradient)
    gradient.slice = sharing?.slice
    var request = ReducerRequest(gradient, world, communication, stages: model.gradientStages)
    request.sharing = sharing
    reducer = makeReducer(request)
    outer = communication.outer.map { [weights] in
      OuterSteps($0, of: weights, wire: communication.wire, in: world)
    }
    tree =
      communication.reproducible == nil
      ? nil
      : GradientTree(of: gradient, leaves: microBatches.count)
    optimizer = options.training.optimizer.makeOptimizer(for: sharing?.placed ?? layout)
    average = options.training.makeAverage(
      of: weights, for: optimizer, in: sharing?.placed.memory)
    results = outer == nil ? optimizer.shareOut(in: world) : nil
    clipper = Clipper(
      options.training.clip ?? ClipOptions(), output: Set(model.outputWeights))
    carriesState = options.training.carryState
    readout = options.training.readout.flatMap { [model] readout in
      (model as? SequenceModel).map { ReadoutFitter(readout, of: $0) }
    }
    // The states of a stream must not depend on the other streams of this rank.
    weights.rowsAreIndependent = readout != nil
  }

  /// Takes one step of training by gradients and reports its results.
  package func step() throws -> StepReport {
    isTakingStep = true
    defer { isTakingStep = false }
    RankActivity.current.enter(.training, step: coordinator.state.step)
    precondition(readout == nil, "a step by gradients of a model whose readout is fitted")
    var watch = Stopwatch()
    try grow()
    let (rate, epoch) = (coordinator.rate * setWindow(), coordinator.state.epoch)
    if loader.startsAnew || !carriesState { microBatches.clear() }
    profile?.start()
    microBatches.load(step: coordinator.state.step)
    watch.data = watch.lap()
    profile?.mark(.data)
    let step = coordinator.state.step + 1
    microBatches.inTurn {
      $0.predictions?.feed($0.batch, step: step - 1, weights: weights, gradient: gradient)
    }
    if diagnosis?.isDue(at: step) == true {
      gradient.nonzero = nil
      try diagnosis?.measure(self, gradient)
      watch.restart()
    }
    var sums = findGradient()
    let inPass = reducer.secondsInPass
    watch.compute = watch.lap() - inPass
    sums.computing[sums.computing.startIndex + world.rank] = watch.busy
    try reducer.sum(gradient, step: step - 1)
    // A rank that trains alone clips by its own targets and its own norm.
    let own = outer.map { _ in
      clipper.clip(gradient, weights: weights, scale: coordinator.gradientScale(of: sums))
    }
    sums.norms = own?.norm ?? 0
    try world.sum(&sums.values)
    watch.communication = watch.lap() + inPass
    profile?.mark(.reduction)
    let scale = coordinator.gradientScale(of: sums)
    let found = try diagnose(step: step, scale: scale)
    if found != nil { watch.restart() }
    try report(sums, scale: scale)
    let update = try own ?? clip(scale: scale)
    let norm = own == nil ? update.norm : sums.norms / Double(world.size)
    let spike = norm.isFinite ? coordinator.spike(in: sums) : nil
    let verdict = coordinator.judge(sums, norm: norm, spike: spike)
    if verdict == .update { try self.update(rate: rate, scale: update.scale) }
    profile?.mark(.optimizer)
    endWindow(sums, verdict)
    watch.update = watch.lap()
    if let outer {
      try outer.finishStep(coordinator.state.step, weights)
      watch.communication += watch.lap()
    }
    profile?.mark(outer == nil ? .other : .reduction)
    var score = Score(lossSum: sums.loss, targets: sums.targets, correct: sums.correct)
    score.bytesPerTarget = bytesPerTarget
    return StepReport(
      step: coordinator.state.step, epoch: epoch, tokens: coordinator.state.tokens,
      score: score, learningRate: rate, gradientNorm: norm, verdict: verdict, spike: spike,
      time: watch,
      gradients: found, ranks: Array(sums.computing), traffic: traffic)
  }

  /// Carries the states at the window's end on, unless the step is left out, and goes on in the data.
  private func endWindow(_ sums: StepSums, _ verdict: Coordinator.Verdict) {
    if verdict == .skip || verdict == .rollBack {
      microBatches.discard()
    } else {
      microBatches.carryStates()
    }
    let epochEnds = microBatches.isAtEpochEnd
    microBatches.advance()
    coordinator.finish(sums, verdict, epochEnds: epochEnds, place: microBatches.place)
  }

  /// Updates the weights and their average, or this rank's slice of them.
  private func update(rate: Double, scale: Double) throws(CommunicationError) {
    optimizer.update(weights, gradient: gradient, rate: rate, scale: scale)
    if let results {
      try results.sum.start(count: results.count)
      try results.sum.wait()
      (optimizer as? any CooperativeOptimizer)?.finishUpdate(weights)
    }
    average?.update(from: weights, isTriggered: coordinator.isAverageTriggered)
    try sharing?.publish()
  }

  /// Reports the summed gradient at the steps of a diagnosis, on the root.
  private func diagnose(step: Int, scale: Double) throws(CommunicationError) -> GradientReport? {
    guard diagnosis?.isDue(at: step) == true else { return nil }
    try sharing?.complete(gradient)
    return diagnosis?.report(step: step, self, gradient, scale: scale)
  }

  /// Shows numbers of the summed gradient of a step that an evaluation follows to the sinks of the root. Collective.
  private func report(_ sums: StepSums, scale: Double) throws(CommunicationError) {
    guard reportsGradients,
      coordinator.evaluates(after: sums, epochEnds: microBatches.isAtEpochEnd)
    else { return }
    let own = ParameterSample(ofSlice: gradient)
    let all = try sharing?.gathered(own) ?? own
    for sink in sinks { sink.record(gradient: all, scale: scale, coordinator) }
  }

  /// Measures and clips the summed gradient, of which this rank may have a slice.
  private func clip(scale: Double) throws(CommunicationError) -> Clipped {
    guard let sharing else { return clipper.clip(gradient, weights: weights, scale: scale) }
    return try clipper.clip(gradient, weights: weights, scale: scale) {
      (squares) throws(CommunicationError) in
      try sharing.grid.share(squares, of: sharing.slice)
    }
  }

  /// Runs the model forward and backward over the window of each micro-batch; this rank may have no part in
  /// it. Leaves the sum of their gradients.
  /// - Returns: The sums of this rank.
  private func findGradient() -> StepSums {
    let parts = Array(microBatches.next)
    var losses = [Double](repeating: 0, count: parts.count)
    var (targets, correct) = (0, 0)
    // Gradients are complete in the last backward pass.
    let last = parts.lastIndex { $0.batch.streams > 0 }
    defer { tape.observer = nil }
    func find(_ number: Int, _ gradient: ParameterVector) {
      let part = parts[number]
      guard part.batch.streams > 0 else { return }
      tape.observer = number == last && tree == nil ? reducer.observer : nil
      microBatches.use(part)
      part.method.differentiate(model, part.batch, weights: weights, gradient: gradient)
      RankActivity.current.advance()
      losses[number] = tape.loss.sum
      targets += tape.loss.targets
      correct += tape.loss.correct
    }
    if let tree {
      tree.sum(find)
    } else {
      gradient.clear()
      profile?.mark(.optimizer)
      for number in parts.indices { find(number, gradient) }
    }
    var sums = vote()
    (sums.targets, sums.correct) = (targets, correct)
    sums.setLoss(losses.sumInTree(), rank: world.rank)
    return sums
  }

  /// Takes steps until the run is complete, or a stop is requested.
  public func run() throws -> Outcome {
    // From here on there is something to save before the process ends.
    StopRequest.waitForSteps()
    do {
      let outcome = try takeSteps()
      try finishSave()
      return outcome
    } catch {
      // The checkpoint that is being written is good, whatever has happened since.
      _ = checkpoints?.finish()
      throw error
    }
  }

  private func takeSteps() throws -> Outcome {
    let hasOpenEvaluation = coordinator.hasOpenEvaluation
    if hasOpenEvaluation || coordinator.hasOpenSample {
      if hasOpenEvaluation, try !evaluate() { return .interrupted }
      let isWritten = try writeSamples()
      try save(.waiting)
      if !isWritten { return .interrupted }
    }
    if let readout {
      try fit(readout)
      return try finishStep() ?? .complete
    }
    if coordinator.isInterrupted { return .interrupted }
    try saveBeforeFirstStep()
    while !coordinator.isComplete {
      let report = try step()
      for sink in sinks { sink.record(step: report, coordinator) }
      try reportSave()
      if report.verdict == .rollBack, try !rollBack() { return .diverged(step: report.step) }
      if report.verdict == .diverged {
        return report.spike == nil ? .diverged(step: report.step) : .spiked(step: report.step)
      }
      if let outcome = try finishStep() { return outcome }
    }
    return .complete
  }

  /// Does what is due after a step: the check that ranks agree, an evaluation, a checkpoint.
  /// - Returns: The outcome of a run that ends here before its last step; nil if it goes on.
  private func finishStep() throws -> Outcome? {
    if coordinator.isEvaluationDue || coordinator.isCheckpointDue || coordinator.isCheckDue {
      try checkAgreement()
    }
    if coordinator.isEvaluationDue, try !evaluate() {
      // The weights are saved; a resumed run begins with this evaluation.
      coordinator.leaveEvaluationOpen()
      try save(.waiting)
      return .interrupted
    }
    guard try writeSamples() else {
      // The weights are saved; a resumed run begins with these samples.
      try save(.waiting)
      return .interrupted
    }
    if coordinator.isCheckpointDue {
      try save(coordinator.mustWaitForCheckpoint ? .waiting : .inBackground)
      // Saving takes long for large models.
      if !coordinator.isComplete, try isAnyAskedToStop() { return .interrupted }
    }
    return coordinator.isInterrupted ? .interrupted : nil
  }

  /// Scores the validation data, with the averaged weights if there is an average.
  /// - Returns: False if a stop was requested before it was done.
  private func evaluate() throws -> Bool {
    guard let validation else { preconditionFailure("an evaluation without validation data") }
    RankActivity.current.enter(.evaluating, step: coordinator.state.step)
    let weights = try currentModel()
    guard let score = try validation.run(model, weights: weights, votes: votes) else {
      return false
    }
    let isBest = coordinator.finish(
      evaluation: score.loss, guess: score.guess, bytesPerTarget: score.bytesPerTarget)
    for sink in sinks {
      sink.record(evaluation: score, isBest: isBest, coordinator)
      sink.record(weights: weights, coordinator)
    }
    return true
  }

  /// Writes samples with the weights that are evaluated, on the root, if they are due. The other ranks wait for it.
  /// Collective.
  /// - Returns: False if a stop was requested of the root before they were written.
  private func writeSamples() throws -> Bool {
    guard let samples, coordinator.isSampleDue else { return true }
    RankActivity.current.enter(.evaluating, step: coordinator.state.step)
    let weights = try currentModel()
    var isBroken: [Int32] = [0]
    if world.isRoot {
      if let found = samples.write(with: weights, while: { !isAskedToStop() }) {
        for sink in sinks { sink.record(samples: found, coordinator) }
      } else {
        isBroken = [1]
      }
    }
    try world.max(&isBroken)
    coordinator.leaveSampleOpen(isBroken[0] > 0)
    return isBroken[0] == 0
  }

  /// The sentences about the symbols of samples that the model does not know.
  package var sampleNotes: [String] { samples?.notes ?? [] }

  /// Returns the model as it is evaluated: the running average of the weights if there is one, else the
  /// weights; between outer steps the mean of those of all ranks. Collective.
  package func currentModel() throws(CommunicationError) -> ParameterVector {
    let own = average?.vector ?? weights
    average?.refresh(from: weights)
    if let sharing, own !== weights {
      if sharing.isSharded { try sharing.complete(own) } else { try sharing.grid.barrier() }
    }
    return try outer?.mean(of: own) ?? own
  }

  /// The votes on requests to stop while each rank works on its own.
  package var votes: StopVotes { StopVotes(of: world, every: stopInterval, isAsked: isAskedToStop) }

  private func isAnyAskedToStop() throws(CommunicationError) -> Bool {
    var asked: [Int32] = [isAskedToStop() ? 1 : 0]
    try world.max(&asked)
    return asked[0] > 0
  }

  /// Returns the votes of this rank, and the size of its window.
  func vote() -> StepSums {
    var sums = StepSums(ranks: world.size)
    sums.sequences = microBatches.sequences
    sums.stopVotes = isAskedToStop() ? 1 : 0
    sums.clockVotes = checkpoints?.isDue == true ? 1 : 0
    return sums
  }
}

extension TrainingOptions {
  /// Makes the average with which the model is evaluated; nil if it is evaluated with its weights.
  /// - Parameter memory: Makes the memory of the average; nil for its own.
  fileprivate func makeAverage(
    of weights: ParameterVector, for optimizer: any Optimizer,
    in memory: ((_ count: Int) -> Buffer<Real>)?
  ) -> WeightAverage? {
    guard isAveraged else { return nil }
    return WeightAverage(
      average ?? WeightAverage.Options(), of: weights,
      keptBy: optimizer as? any AveragingOptimizer, in: memory?(weights.layout.count))
  }
}
