internal import Recurrence

/// The gradient diagnosis of one step, as a line of `metrics.jsonl`.
public struct GradientReport: Codable, Equatable, Sendable {
  /// The findings for one layer.
  public struct Layer: Codable, Equatable, Sendable {
    /// The fractions of a gate's values below 0.1 and above 0.9.
    public struct Saturation: Codable, Equatable, Sendable {
      public var below: Double
      public var above: Double
    }

    public var layer: String
    /// The norm of the gradient of its parameters, scaled as for the update and not clipped.
    public var gradientNorm: Double
    /// ‖∂L(t)/∂h(t−k)‖ for k = 0, 1, …; nil if the layer's output is not a state.
    public var lags: [Double]?
    public var gates: [String: Saturation]?
    /// The largest absolute eigenvalue of the transition from one state to the next; nil without
    /// recurrent weights.
    public var spectralRadius: Double?

    enum CodingKeys: String, CodingKey {
      case layer, lags, gates
      case gradientNorm = "gradient_norm"
      case spectralRadius = "spectral_radius"
    }
  }

  public var step: Int
  public var diagnosis = "gradients"
  /// The layers, from the embedding to the output layer.
  public var layers: [Layer]
}

extension GradientReport {
  init(step: Int, norms: [(layer: String, norm: Double)], _ found: [GradientDiagnosis.Layer]) {
    self.step = step
    layers = norms.map { layer, norm in
      let own = found.first { $0.name == layer }
      return Layer(
        layer: layer, gradientNorm: norm, lags: own.flatMap { $0.lags.isEmpty ? nil : $0.lags },
        gates: own.flatMap { own in
          own.gates.isEmpty
            ? nil
            : Dictionary(
              own.gates.map { ($0.name, Layer.Saturation(below: $0.below, above: $0.above)) },
              uniquingKeysWith: { first, _ in first })
        }, spectralRadius: own?.spectralRadius)
    }
  }
}
