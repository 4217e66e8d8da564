internal import LinearAlgebra

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
  let products = ProductClock()
  private var last = 0
  private var lastOfProducts = 0

  public init() {}

  /// Counts from now on.
  public func start() {
    last = ProductClock.now
    lastOfProducts = products.nanoseconds
  }

  /// Says that the time since the mark before went to this phase; its products with weights to
  /// another, if one is named.
  public func mark(_ phase: Phase, products other: Phase? = nil) {
    let elapsed = ProductClock.now - last
    let inProducts = products.nanoseconds - lastOfProducts
    seconds[(other ?? phase).rawValue] += Double(inProducts) * 1e-9
    seconds[phase.rawValue] += Double(elapsed - inProducts) * 1e-9
    last += elapsed
    lastOfProducts += inProducts
  }

  /// The seconds of one phase.
  public subscript(phase: Phase) -> Double { seconds[phase.rawValue] }
}

extension Pass {
  /// Says what the time since the mark before went to; nothing where no profile is taken.
  @inline(__always)
  public func mark(_ phase: Phase, products other: Phase? = nil) {
    tape.profile?.mark(phase, products: other)
  }
}
