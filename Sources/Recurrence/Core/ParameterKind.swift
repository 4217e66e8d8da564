/// The kind of a parameter, by which settings choose it.
public enum ParameterKind: String, Codable, CaseIterable, Sendable {
  /// A row or column for each symbol: an embedding, or a matrix that reads symbols as one-hot rows.
  case embedding
  /// A matrix of the output layer; a tied one is an `embedding`.
  case output
  /// A matrix that a layer multiplies its own states of earlier steps with, such as `weight_hh`.
  case recurrent
  /// Any other matrix, such as `weight_ih`.
  case matrix
  /// A bias, a gain or another vector.
  case vector

  /// Tells the kind of a matrix from its name and its layer.
  init(_ name: String, layer: String) {
    let ofStates = ["weight_hh", "weight_hn", "weight_hm"]
    self =
      layer == "output" ? .output : ofStates.contains { name.hasPrefix($0) } ? .recurrent : .matrix
  }
}

/// The scaling of a parameter of a model that is m times as wide as its base (µP; Yang et al. 2022, for
/// Adam).
///
/// | parameter | standard deviation | learning rate |
/// |---|---|---|
/// | hidden matrix | 1/√m of the base's | 1/m |
/// | output matrix | 1/m of the base's | 1/m |
/// | embedding, vector | the base's | 1 |
///
/// m is the number of columns over the base. The published output multiplier 1/m, with unscaled numbers and
/// rate, is the same function and, for Adam, the same updates.
struct WidthScaling: Sendable {
  /// m; 1 for parameters that are not scaled.
  let multiplier: Double
  private let kind: ParameterKind
  /// The rows, the columns if they are a width of the model, and the base.
  private let rows, columns, base: Double?

  /// - Parameters:
  ///   - from: The columns, if they are a width of the model; nil otherwise.
  ///   - to: The rows.
  init(_ kind: ParameterKind, from: Int?, to: Int, base: Int?) {
    self.kind = kind
    rows = Double(to)
    columns = from.map(Double.init)
    self.base = base.map(Double.init)
    let isScaled = kind != .embedding && kind != .vector
    if let base, let from, isScaled {
      multiplier = Double(from) / Double(base)
    } else {
      multiplier = 1
    }
  }

  /// Makes the scaling of a model without a base.
  init() { self.init(.vector, from: nil, to: 0, base: nil) }

  /// Returns the factor on the random numbers of an initializer.
  func scale(_ initializer: Initializer, _ pytorch: Distribution) -> Double {
    guard let base else { return 1 }
    guard let columns, let rows, kind != .vector else {
      // PyTorch's U(±1/√width) becomes U(±1/√base); the others do not depend on the width.
      guard initializer == .pytorch, case .uniform(let s) = pytorch, s > 0 else { return 1 }
      return 1 / (s * base.squareRoot())
    }
    // The deviation of the base's initializer over that of this width.
    let ofBase: Double =
      switch initializer {
      case .uniform, .normal: 1
      case .pytorch: if case .uniform = pytorch { (columns / base).squareRoot() } else { 1 }
      case .lecun, .scaledOrthogonal: (columns / base).squareRoot()
      case .xavier: ((rows + columns) / (rows + base)).squareRoot()
      case .orthogonal: (max(rows, columns) / max(rows, base)).squareRoot()
      }
    switch kind {
    case .embedding, .vector: return ofBase
    case .output: return ofBase / multiplier
    case .matrix, .recurrent:
      // The rows of a hidden matrix grow, too, so that only fixed deviations are scaled.
      switch initializer {
      case .uniform, .normal: return 1 / multiplier.squareRoot()
      case .pytorch, .xavier, .lecun, .orthogonal, .scaledOrthogonal: return 1
      }
    }
  }
}
