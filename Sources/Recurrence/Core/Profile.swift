internal import LinearAlgebra

/// The parts of a step whose time a `Profile` measures.
public enum Phase: Int, CaseIterable, Sendable {
  /// Products with the weights that read a layer's input, and their gradients.
  case input
  /// Products with the weights that read a state, step by step, and their gradients.
  case recurrent
  /// The elementwise computations of a cell.
  case pointwise
  /// The output layer: products, softmax, loss and gradients.
  case output
  /// Embedding lookups, and the gradient of the table.
  case embedding
  /// Clearing the gradient, its norm, clipping and the weight update.
  case optimizer
  /// All-reduces over ranks.
  case reduction
  /// Filling the batch.
  case data
  /// Sampling a symbol from a distribution.
  case sampling
  /// Everything else, including dropout and linear layers.
  case other
}

/// A clock, attached to a tape, that measures the time of each part of a model.
///
/// Each mark adds the time since the previous mark to one phase. Phases never overlap, and their
/// sum is the whole time between `start` and the last mark. A mark reads the clock once, about 25
/// ns. Without a profile a mark is one nil check.
public final class Profile {
  /// The seconds of each phase, in the order of `Phase.allCases`.
  public private(set) var seconds = [Double](repeating: 0, count: Phase.allCases.count)
  let products = ProductClock()
  private var last = 0
  private var lastOfProducts = 0

  public init() {}

  /// Starts measuring.
  public func start() {
    last = ProductClock.now
    lastOfProducts = products.nanoseconds
  }

  /// Adds the time since the previous mark to a phase. If `other` is given, the part of that time
  /// spent in products with weights goes to `other`.
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
  /// Adds the time since the previous mark to a phase; does nothing without a profile.
  @inline(__always)
  public func mark(_ phase: Phase, products other: Phase? = nil) {
    tape.profile?.mark(phase, products: other)
  }
}
