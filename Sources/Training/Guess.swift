internal import Datasets
internal import Formats
internal import Foundation
internal import LinearAlgebra
internal import Recurrence
internal import Sequences

// The loss of guessing, which a model must beat to have learnt anything.

extension ModelOptions {
  /// Returns the highest loss of guessing, in nats per target: every symbol equally likely, every
  /// label and every end with probability ½; nil for numbers, for which the data must be known.
  func lossOfGuessing(_ interface: TaskSignature) -> Double? {
    let outputs: Double
    switch interface.output {
    case .symbols(let count): outputs = log(Double(count))
    case .labels(let count): outputs = Double(count) * log(2)
    case .numbers: return nil
    }
    switch end {
    case .symbol: return outputs
    case .halt: return outputs + log(2)
    case .length: return interface.ends.map { outputs + log(Double($0.longest + 1)) }
    }
  }
}

extension Coordinator {
  /// True if the last validation loss is above the loss of guessing, as before any learning and
  /// after divergence.
  package var isWorseThanGuessing: Bool {
    guard let guess = state.guess, let loss = state.validationLoss else { return false }
    return !(loss <= guess)
  }

  /// True if a finished run has ended with more than twice the loss of guessing and twice that of
  /// the first window with a target, in which nothing was learnt yet. This must hold in its last
  /// windows, because otherwise it has memorised its training data, and in validation, if there is
  /// one.
  public var hasDiverged: Bool {
    guard isComplete, let guess = state.guess ?? guess, let trained = state.recent?.mean else {
      return false
    }
    // A run that stopped early has a best checkpoint.
    if hasGivenUp, let best = state.earlyStopping.best, best <= guess { return false }
    let limit = 2 * max(guess, state.untrained ?? guess)
    return !(trained <= limit) && !(state.validationLoss ?? trained <= limit)
  }

  private var finalLoss: Double? { state.validationLoss ?? state.recent?.mean }

  /// The message for a run that has diverged.
  package var divergenceSentence: String {
    let loss = state.validationLoss == nil ? "loss of the last steps" : "validation loss"
    let best =
      state.earlyStopping.best.map { $0 <= state.guess ?? guess ?? 0 } == true
      ? state.bestStep.map { ", or resume from the best checkpoint, of step \($0)" } ?? "" : ""
    return
      "Diverged: after \(state.step) steps the \(loss) is \(fixed(finalLoss ?? .nan, 4)), above the "
      + "\(fixed(state.guess ?? guess ?? .nan, 4)) of guessing: lower the learning rate or clip the "
      + "gradient, and start a new run\(best)"
  }
}
