public import Collectives
public import Configuration
public import Datasets
internal import Foundation
public import Recurrence
internal import Sequences

/// The result of running a model over data, as sums over all targets, not means of means.
public struct Score: Codable, Equatable, Sendable {
  /// The loss summed over all targets: −ln p in nats, or squared errors.
  public var lossSum: Double
  /// The number of targets.
  public var targets: Int
  /// The number of targets with the largest probability, if targets are symbols.
  public var correct: Int
  /// For trees: the number of roots with a target, and of those predicted correctly.
  public var (roots, correctRoots) = (0, 0)
  /// For numbers: the loss of always predicting their mean; nil for other targets.
  public var guess: Double?
  /// The bytes of text that a target stands for; nil if targets are not text.
  public var bytesPerTarget: Double?

  public init(lossSum: Double, targets: Int, correct: Int = 0) {
    self.lossSum = lossSum
    self.targets = targets
    self.correct = correct
  }

  /// The fraction of the targets that have the largest probability.
  public var accuracy: Double { Double(correct) / Double(max(targets, 1)) }
  /// The loss per target, in nats or squared errors.
  public var loss: Double { lossSum / Double(max(targets, 1)) }
  /// For trees: the fraction of the roots that are predicted correctly.
  public var rootAccuracy: Double? {
    roots > 0 ? Double(correctRoots) / Double(roots) : nil
  }
  /// exp(loss)
  public var perplexity: Double { exp(loss) }
  /// Bits per byte of text, loss / (ln 2 · bytes), which compare models of other symbols; nil if targets are
  /// not text.
  public var bitsPerByte: Double? { bytesPerTarget.map { loss / (log(2) * $0) } }
  /// Bits per target: per character or byte if these are the symbols.
  public var bits: Double { loss / log(2) }
}

/// Runs a model over a held-out text with carried state. It uses a tape of its own and leaves the
/// state of training unchanged.
///
/// Every symbol except the first of each stream is scored once; documents reset the state as in
/// training. For layers with target feedback whose targets are not inputs anyway, such as tags, the
/// loss is computed with the given targets. Correct predictions are counted in a second run over
/// each window, in which predictions are fed back.
public final class Evaluation {
  /// The streams that run together: all of this rank, or those of a micro-batch.
  private struct Part {
    let loader: any BatchLoader
    let windows: WindowRunner?
    /// The windows fed with predictions, with carried states of their own.
    let fedWindows: WindowRunner?
    let batch: Batch
  }

  private let parts: [Part]
  private let world: any Communicator
  private let bytesPerTarget: Double?

  /// - Parameters:
  ///   - part: The held-out data to score.
  ///   - plan: The plan of the model that will be run.
  ///   - options: The section `evaluation` of the configuration: the sizes of batches and windows.
  ///   - world: The ranks that share the data.
  ///   - microBatches: The number of micro-batches of this rank. They change the score by rounding
  ///     only, and by nothing where the number over all ranks is the same.
  ///   - bytesPerTarget: The bytes of text that a target stands for; nil if targets are not text.
  /// - Throws: `DataError` if the text is too short for the streams.
  public init(
    _ part: Split, plan: Plan, _ options: EvaluationOptions, world: any Communicator,
    microBatches: Int = 1, bytesPerTarget: Double? = nil
  ) throws(DataError) {
    self.world = world
    self.bytesPerTarget = bytesPerTarget
    let isFed = plan.feedsTargets && !part.readsItsTargets
    let loaders = try part.loaders(options.loaderRequest(in: world), microBatches: microBatches)
    parts = loaders.map { loader in
      // A rank without anything to read only waits for the others.
      func makeWindows() -> WindowRunner? {
        loader.windowSizes.isEmpty
          ? nil : WindowRunner(plan, fitting: loader.windowSizes, resets: loader.mayReset)
      }
      return Part(
        loader: loader, windows: makeWindows(), fedWindows: isFed ? makeWindows() : nil,
        batch: loader.makeBatch())
    }
  }

  /// Makes the evaluation of a part of a run's data.
  /// - Throws: `DataError` if the text is too short for the streams; `UsageError` if the streams cannot be
  ///   cut into the micro-batches of the options.
  package convenience init(
    _ part: Split, of dataset: Dataset, plan: Plan, _ options: RunOptions, world: any Communicator
  ) throws {
    try self.init(
      part, plan: plan, options.evaluation, world: world,
      microBatches: try options.evaluationParts(ranks: world.size),
      bytesPerTarget: dataset.bytesPerTarget(of: part))
  }

  /// Scores the whole text.
  public func run(
    _ model: any Model, weights: ParameterVector
  ) throws(CommunicationError) -> Score {
    guard let score = try run(model, weights: weights, votes: nil) else {
      preconditionFailure("an evaluation that nobody could stop was stopped")
    }
    return score
  }

  /// Scores the whole text, unless a rank is asked to stop before the end.
  /// - Returns: The score; nil on every rank if any rank was asked to stop.
  package func run(
    _ model: any Model, weights: ParameterVector, votes: StopVotes?
  ) throws(CommunicationError) -> Score? {
    var votes = votes
    var found: [[Double]] = []
    var numbers = NumberMoments(of: model)
    for part in parts {
      var sums = [0.0, 0.0, 0.0, 0.0, 0.0]
      var moments = NumberMoments(of: model)
      if let windows = part.windows {
        part.loader.rewind()
        for _ in 0..<part.loader.windowsPerEpoch {
          let loss = next(model, weights: weights, part, windows)
          sums[0] += loss.sum
          sums[1] += Double(loss.targets)
          sums[2] += Double(loss.correct)
          sums[3] += Double(loss.roots)
          sums[4] += Double(loss.correctRoots)
          moments?.add(part.batch)
          if try votes?.endWork() == true { return nil }
        }
      }
      found.append(sums + (moments?.sums ?? []))
    }
    if try votes?.finish() == true { return nil }
    var sums = found[0].indices.map { index in found.map { $0[index] }.sumInTree() }
    try world.sumInTree(&sums)
    var score = Score(lossSum: sums[0], targets: Int(sums[1]), correct: Int(sums[2]))
    (score.roots, score.correctRoots) = (Int(sums[3]), Int(sums[4]))
    score.bytesPerTarget = bytesPerTarget
    numbers?.sums = Array(sums[5...])
    score.guess = numbers?.variance
    return score
  }

  /// Scores a part of the next window; after the last window comes the first.
  private func next(
    _ model: any Model, weights: ParameterVector, _ part: Part, _ windows: WindowRunner
  ) -> Loss {
    let (loss, profile) = (windows.tape.loss, windows.tape.profile)
    if part.loader.startsAnew {
      windows.clear()
      part.fedWindows?.clear()
    }
    profile?.start()
    part.loader.next(into: part.batch)
    profile?.mark(.data)
    guard part.batch.streams > 0 else {
      loss.clear()
      return loss
    }
    windows.run(part.batch, weights: weights) { model.forward($0) }
    if let fedWindows = part.fedWindows, let model = model as? SequenceModel {
      loss.correct = fedWindows.run(part.batch, weights: weights) { model.predict($0) }
    }
    profile?.mark(.other)
    return loss
  }
}

// For benchmarks.
extension Evaluation {
  /// The profile that records the time of each part; nil for none.
  package var profile: Profile? {
    get { parts[0].windows?.tape.profile }
    set { for part in parts { part.windows?.tape.profile = newValue } }
  }

  /// Scores this rank's part of the next window, as `run` does.
  package func next(_ model: any Model, weights: ParameterVector) -> Score {
    var score = Score(lossSum: 0, targets: 0)
    for part in parts {
      guard let windows = part.windows else { continue }
      let loss = next(model, weights: weights, part, windows)
      score.lossSum += loss.sum
      score.targets += loss.targets
    }
    return score
  }
}
