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

  let parts: [Part]
  /// The memory of the windows.
  let tape: Tape

  /// - Throws: `DataError` if streams and data do not fit; `UsageError` if settings and data do not.
  init(
    _ options: RunOptions, _ dataset: Dataset, _ model: any Model, in world: any Communicator
  ) throws {
    let count = try options.microBatches(ranks: world.size)
    let training = options.training
    let loaders = try dataset.train.loaders(
      training.loaderRequest(seed: options.seed, in: world), microBatches: count)
    if let violation = options.violations(at: .data, data: dataset.interface).first {
      throw UsageError(violation.sentence)
    }
    let request = training.gradientMethod(for: loaders.windowSizes, model.plan)
    let tape = Tape(
      model.plan,
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

  /// The first loader, which tells the position of all.
  var loader: any BatchLoader { parts[0].loader }
  /// The sizes of the windows, the widest first.
  var windowSizes: [WindowSize] { parts.map(\.loader).windowSizes }
  /// The streams of this rank in the window that was loaded last.
  var streams: Int { parts.reduce(0) { $0 + $1.batch.streams } }
  /// The streams, sequences or trees of this rank in the window that was loaded last.
  var sequences: Int { parts.reduce(0) { $0 + ($1.batch.streams > 0 ? $1.batch.sequences : 0) } }
  /// The number of steps before this place in the data whose values are kept, besides the states.
  var keptSteps: Int { parts.map(\.method.keptSteps).max()! }
  /// The largest number of such steps.
  var maximumKeptSteps: Int { parts[0].method.maximumKeptSteps }

  /// Gives the tape to a micro-batch.
  func use(_ part: Part) { tape.use(part.states) }

  /// Calls `body` with each micro-batch while it has the tape.
  func inTurn(_ body: (Part) throws -> Void) rethrows {
    for part in parts {
      use(part)
      try body(part)
    }
  }

  /// Reads the next window of every micro-batch.
  func load() {
    for part in parts { part.loader.next(into: part.batch) }
  }

  /// Forgets everything that is carried: all streams start anew.
  func clear() { inTurn { $0.method.clear() } }

  /// Carries the states at the window's end into the next window.
  func carryStates() { inTurn { if $0.batch.streams > 0 { $0.method.carryStates() } } }

  /// Leaves the window out, as where an update is skipped.
  func discard() { inTurn { $0.method.discard() } }

  /// Goes to a position in the data.
  func seek(_ cursor: StreamCursor) throws(DataError) {
    for part in parts { try part.loader.seek(cursor) }
  }
}
