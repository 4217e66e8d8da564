internal import Datasets
internal import Names
package import Recurrence
package import Sequences

/// The part of a window that is kept from the forward pass for the backward pass: `recompute`.
///
/// Written as `none`, as `sqrt`, as a number of steps, or as `{states: 8, steps: 16}`.
public enum Recomputation: Equatable, Sendable {
  /// All activations.
  case none
  /// The states at every ⌈√T⌉-th of T steps; the steps between them are computed twice (Chen 2016).
  case squareRoot
  /// The states at every n-th step.
  case every(Int)
  /// At most the given number of states, out of those at every n-th step. Steps after a state that
  /// is not stored are computed again as often as needed, with the fewest computations (Gruslys
  /// 2016).
  case states(Int, steps: Int)

  /// The default number of steps of a segment if a number of states is given, large enough for
  /// efficient products.
  static let steps = 16

  /// The request for windows of some sizes in segments; nil where everything is kept.
  func request(for sizes: [WindowSize], _ plan: Plan) -> ActivationCheckpointing.Request? {
    let window = WindowSize(
      steps: sizes.map(\.steps).max() ?? 1, streams: sizes.map(\.streams).max() ?? 1)
    // Windows of one step, such as those of trees, cannot be divided.
    guard window.steps > 1 else { return nil }
    let (length, states): (Int, Int?) =
      switch self {
      case .none: (0, nil)
      case .squareRoot: (ActivationCheckpointing.squareRoot(of: window.steps), nil)
      case .every(let steps): (steps, nil)
      case .states(let states, let steps): (steps, states)
      }
    guard length > 0 else { return nil }
    return ActivationCheckpointing.Request(
      sizes, of: window, length: max(min(length, window.steps), plan.longestLag), states: states)
  }
}

extension TrainingOptions {
  /// The way to find the gradient of windows of some sizes.
  package func gradientMethod(for windows: [WindowSize], _ plan: Plan) -> any GradientMethodRequest
  {
    if keptSteps > 0 {
      return OverlappingWindows.Request(keptSteps: keptSteps, newSteps: windows)
    }
    return recompute.request(for: windows, plan) ?? FullWindow.Request(windows)
  }
}

extension Recomputation: Codable {
  private enum CodingKeys: String, CodingKey { case states, steps }

  public init(from decoder: any Decoder) throws {
    let single = try decoder.singleValueContainer()
    if let steps = try? single.decode(Int.self), (1...largestCount).contains(steps) {
      self = .every(steps)
      return
    }
    guard let word = try? single.decode(String.self) else {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      let states = try container.decode(Int.self, forKey: .states)
      try container.require(
        (1...largestCount).contains(states), .states,
        "states must be from 1 to \(largestCount), including the state before the window")
      self = .states(
        states, steps: try container.decode(.steps, default: Self.steps, from: 1...largestCount))
      return
    }
    switch word {
    case "none": self = .none
    case "sqrt": self = .squareRoot
    default:
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: single.codingPath,
          debugDescription: "recompute is none, sqrt, a number of steps from 1 on, or {states: 8}",
          underlyingError: UnknownName(word, of: "recompute", among: ["none", "sqrt"])))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    if case .states(let states, let steps) = self {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(states, forKey: .states)
      try container.encode(steps, forKey: .steps)
      return
    }
    var container = encoder.singleValueContainer()
    switch self {
    case .squareRoot: try container.encode("sqrt")
    case .every(let steps): try container.encode(steps)
    case .none, .states: try container.encode("none")
    }
  }
}
