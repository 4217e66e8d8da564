internal import Glibc

/// What the time of a step goes to.
public enum Phase: Int, CaseIterable, Sendable {
  /// Products with the weights that read a layer's input, and their gradients.
  case input
  /// Products with the weights that read a state, step by step, and their gradients.
  case recurrent
  /// What a cell does with single numbers.
  case pointwise
  /// The output layer: products, softmax, loss and derivatives.
  case output
  /// Looking up symbols, and the gradient of the table.
  case embedding
  /// Clearing the gradient, its norm, clipping and the update.
  case optimizer
  /// Sums over ranks.
  case reduction
  /// Filling in the window.
  case data
  /// Drawing a symbol from a distribution.
  case sampling
  /// Everything else, dropout and linear layers among it.
  case other
}

/// A clock that a tape may hold, to which the parts of a model say what they have just done.
///
/// Each mark gives the time since the mark before to one phase, so phases never overlap and their sum
/// is all the time between `start` and the last mark. A mark reads the clock once, about 25 ns; a
/// tape without a profile only looks whether it has one.
public final class Profile {
  /// The seconds of each phase, in the order of `Phase.allCases`.
  public private(set) var seconds = [Double](repeating: 0, count: Phase.allCases.count)
  private var last = 0

  public init() {}

  /// Counts from now on.
  public func start() { last = Self.nanoseconds }

  /// Says that the time since the mark before went to this phase.
  public func mark(_ phase: Phase) {
    let now = Self.nanoseconds
    seconds[phase.rawValue] += Double(now - last) * 1e-9
    last = now
  }

  /// The seconds of one phase.
  public subscript(phase: Phase) -> Double { seconds[phase.rawValue] }

  private static var nanoseconds: Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}

extension Pass {
  /// Says what the time since the mark before went to; nothing where no profile is taken.
  @inline(__always)
  public func mark(_ phase: Phase) { tape.profile?.mark(phase) }
}
