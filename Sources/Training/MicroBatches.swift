internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

/// The micro-batches of a rank: parts of its streams whose gradients are found one after another.
///
/// Each has a loader, a batch, a gradient method and carried states of its own. All take turns on one
/// tape, so a window needs the memory of one micro-batch. Usually there is one, with all streams.
final class MicroBatches {
  /// The streams of one micro-batch.
  struct Part {
    let loader: any BatchLoader
    let batch: Batch
    /// The way to find the gradient of a window, with what it keeps between windows.
    let method: any GradientMethod
    /// The scheduled sampling; nil for teacher forcing only.
    let predictions: FedPredictions?
    /// The carried states.
    fileprivate let states: StateStore
  }

  /// All parts: those of the first update of a window, then those of the next.
  let parts: [Part]
  /// The number of updates in which a window is read, each with as many micro-batches.
  let updates: Int
  /// The updates of this window so far.
  private var done = 0
  /// The memory of the windows.
  let tape: Tape

  /// - Parameter updates: The number of updates in which a window is read.
  /// - Throws: `DataError` if streams and data do not fit; `UsageError` if settings and data do not.
  init(
    _ options: RunOptions, _ dataset: Dataset, _ model: any Model, in world: any Communicator,
    updates: Int
  ) throws {
    self.updates = updates
    let count = updates * (try options.microBatches(ranks: world.size))
    let training = options.training
    let loaders = try dataset.train.loaders(
      training.loaderRequest(seed: options.seed, in: world), microBatches: count)
    if let violation = options.violations(at: .data, data: dataset.interface).first {
      throw UsageError(violation.sentence)
    }
    let request = training.gradientMethod(for: loaders.windowSizes, model.plan)
    let tape = Tape(
      request.needsEveryStep ? model.plan.keepingEveryStep : model.plan,
      fitting: request.windows.isEmpty ? [WindowSize(steps: 1, streams: 1)] : request.windows,
      atMost: request.stepsAtOnce, derivatives: training.readout == nil,
      resets: loaders[0].mayReset || request.needsResets)
    let states = [tape.states] + (1..<count).map { _ in tape.makeStates() }
    parts = try zip(loaders, states).map { loader, states in
      let batch = loader.makeBatch()
      return Part(
        loader: loader, batch: batch, method: request.make(model.plan, on: tape, batch.widths),
        predictions: try FedPredictions(options, dataset, of: model, in: batch, on: tape),
        states: states)
    }
    self.tape = tape
  }

  /// The number of micro-batches of an update.
  var count: Int { parts.count / updates }
  /// The parts of the next update.
  var next: ArraySlice<Part> { parts[done * count..<(done + 1) * count] }
  /// The loader of the next update, which tells the position in the data.
  var loader: any BatchLoader { next.first!.loader }
  /// The sizes of the windows, the widest first.
  var windowSizes: [WindowSize] { parts.map(\.loader).windowSizes }
  /// The streams, sequences or trees of this rank in the window that was loaded last.
  var sequences: Int { next.reduce(0) { $0 + ($1.batch.streams > 0 ? $1.batch.sequences : 0) } }
  /// The number of steps before this place in the data whose values are kept, besides the states.
  var keptSteps: Int { parts.map(\.method.keptSteps).max()! }
  /// The largest number of such steps.
  var maximumKeptSteps: Int { parts[0].method.maximumKeptSteps }
  /// The place inside a window that is read in several updates; nil between windows.
  var place: CoordinatorState.Window? {
    done == 0 ? nil : CoordinatorState.Window(done: done, updates: updates)
  }
  /// True if the update that was loaded last is the last of an epoch.
  var isAtEpochEnd: Bool { done == updates - 1 && loader.isAtEpochStart }

  /// Gives the tape to a micro-batch.
  func use(_ part: Part) { tape.use(part.states) }

  /// Calls `body` with each micro-batch of the next update while it has the tape.
  func inTurn(_ body: (Part) throws -> Void) rethrows {
    for part in next {
      use(part)
      try body(part)
    }
  }

  /// Reads the next window of every micro-batch of the update.
  /// - Parameter step: The number of updates before this one.
  func load(step: Int) {
    for part in next {
      part.loader.next(into: part.batch)
      part.batch.step = step
    }
  }

  /// Forgets everything that is carried: the streams of the update start anew.
  func clear() { inTurn { $0.method.clear() } }

  /// Forgets everything that is carried, of all updates of the window.
  func clearAll() {
    for part in parts {
      use(part)
      part.method.clear()
    }
  }

  /// Carries the states at the window's end into the next window.
  func carryStates() { inTurn { if $0.batch.streams > 0 { $0.method.carryStates() } } }

  /// Leaves the window out, as where an update is skipped.
  func discard() { inTurn { $0.method.discard() } }

  /// Goes on to the next update.
  func advance() { done = (done + 1) % updates }

  /// Makes windows shorter than those of the options; nil for those.
  func limitWindows(to steps: Int?) {
    for part in parts { part.loader.limitWindows(to: steps) }
  }

  /// Goes to a position in the data.
  /// - Parameter place: The place inside the window.
  func seek(_ cursor: StreamCursor, _ place: CoordinatorState.Window? = nil) throws(DataError) {
    done = place?.done ?? 0
    for (number, part) in parts.enumerated() {
      try part.loader.seek(cursor)
      // The parts of the updates so far are a window ahead.
      if number < done * count { part.loader.next(into: part.batch) }
    }
  }
}
