public import Collectives
public import Configuration
public import Datasets
internal import Foundation
public import Recurrence

/// The result of running a model over data: sums over all targets, not means of means.
public struct Score: Codable, Equatable, Sendable {
  /// The loss summed over all targets: −ln p in nats, or squared errors.
  public var lossSum: Double
  /// The number of targets.
  public var targets: Int
  /// How many of them had the greatest probability, where symbols are predicted.
  public var correct: Int
  /// Of trees, the targets of roots, and those of them that had the greatest probability.
  public var (roots, correctRoots) = (0, 0)
  /// Of numbers, the loss of whoever always predicts their mean; nil of anything else.
  public var guess: Double?

  public init(lossSum: Double, targets: Int, correct: Int = 0) {
    self.lossSum = lossSum
    self.targets = targets
    self.correct = correct
  }

  /// The part of the targets that had the greatest probability.
  public var accuracy: Double { Double(correct) / Double(max(targets, 1)) }
  /// Nats, or squared errors, per target.
  public var loss: Double { lossSum / Double(max(targets, 1)) }
  /// Of trees, the part of the targets of roots that had the greatest probability.
  public var rootAccuracy: Double? {
    roots > 0 ? Double(correctRoots) / Double(roots) : nil
  }
  /// exp(loss)
  public var perplexity: Double { exp(loss) }
  /// Bits per target: per character or byte where these are the symbols.
  public var bits: Double { loss / log(2) }
}

/// Runs a model over a held-out text with carried state, on a tape of its own, so that training
/// goes on as if nothing had happened.
///
/// Every symbol but each stream's first is scored once; documents reset the state as in training.
/// Where layers are fed targets that are not read anyway, such as tags, the loss is that of the
/// given ones, and what is predicted right is counted in a second run over each window, fed with
/// predictions.
public final class Evaluation {
  private let loader: any BatchLoader
  private let windows: WindowRunner?
  /// The windows fed with predictions, with carried states of their own.
  private let fedWindows: WindowRunner?
  private let batch: Batch
  private let world: any Communicator

  /// - Throws: `DataError` where the text is too short for so many streams.
  public init(
    _ part: Split, plan: Plan, _ options: EvaluationOptions, world: any Communicator
  ) throws(DataError) {
    let loader = try part.loader(options.loaderRequest(in: world))
    self.loader = loader
    batch = loader.makeBatch()
    // A rank that has nothing of it to read only waits for the others.
    func makeWindows() -> WindowRunner? {
      loader.windowSizes.isEmpty
        ? nil : WindowRunner(plan, fitting: loader.windowSizes, resets: loader.mayReset)
    }
    windows = makeWindows()
    fedWindows = plan.feedsTargets && !part.readsItsTargets ? makeWindows() : nil
    self.world = world
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

  /// Scores the whole text, unless a rank is asked to stop before.
  /// - Returns: nil where one was, on every rank.
  func run(
    _ model: any Model, weights: ParameterVector, votes: StopVotes?
  ) throws(CommunicationError) -> Score? {
    var votes = votes
    var sums = [0.0, 0.0, 0.0, 0.0, 0.0]
    var numbers = NumberMoments(of: model)
    if let windows {
      loader.rewind()
      for _ in 0..<loader.windowsPerEpoch {
        let loss = next(model, weights: weights, windows)
        sums[0] += loss.sum
        sums[1] += Double(loss.targets)
        sums[2] += Double(loss.correct)
        sums[3] += Double(loss.roots)
        sums[4] += Double(loss.correctRoots)
        numbers?.add(batch)
        if try votes?.endWork() == true { return nil }
      }
    }
    if try votes?.finish() == true { return nil }
    try world.sum(&sums)
    var score = Score(lossSum: sums[0], targets: Int(sums[1]), correct: Int(sums[2]))
    (score.roots, score.correctRoots) = (Int(sums[3]), Int(sums[4]))
    if var numbers {
      try world.sum(&numbers.sums)
      score.guess = numbers.variance
    }
    return score
  }

  /// Scores this rank's part of the next window; the one after the last is the first.
  private func next(
    _ model: any Model, weights: ParameterVector, _ windows: WindowRunner
  ) -> Loss {
    let (loss, profile) = (windows.tape.loss, windows.tape.profile)
    if loader.startsAnew {
      windows.clear()
      fedWindows?.clear()
    }
    profile?.start()
    loader.next(into: batch)
    profile?.mark(.data)
    guard batch.streams > 0 else {
      loss.clear()
      return loss
    }
    windows.run(batch, weights: weights) { model.forward($0) }
    if let fedWindows, let model = model as? SequenceModel {
      loss.correct = fedWindows.run(batch, weights: weights) { model.predict($0) }
    }
    profile?.mark(.other)
    return loss
  }
}

// For measurements.
extension Evaluation {
  /// Where windows report how long their parts take; nil costs nothing.
  var profile: Profile? {
    get { windows?.tape.profile }
    set { windows?.tape.profile = newValue }
  }

  /// Scores this rank's part of the next window, as `run` does.
  func next(_ model: any Model, weights: ParameterVector) -> Score {
    guard let windows else { return Score(lossSum: 0, targets: 0) }
    let loss = next(model, weights: weights, windows)
    return Score(lossSum: loss.sum, targets: loss.targets)
  }
}
