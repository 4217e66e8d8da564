extension EchoState {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The spectral radius of W.
    public var spectralRadius: Double
    /// The leak a; with 1 no part of the old state is kept.
    public var leak: Double
    /// The largest absolute value in W_in.
    public var inputScaling: Double
    /// The largest absolute value of a bias.
    public var biasScaling: Double
    /// The number of units that each unit reads, itself perhaps among them. A smaller network
    /// connects every unit with every unit.
    public var connections: Int

    public init(
      hidden: Int, spectralRadius: Double = 0.95, leak: Double = 1, inputScaling: Double = 1,
      biasScaling: Double = 0.2, connections: Int = 10
    ) {
      self.hidden = hidden
      self.spectralRadius = spectralRadius
      self.leak = leak
      self.inputScaling = inputScaling
      self.biasScaling = biasScaling
      self.connections = connections
    }

    enum CodingKeys: String, CodingKey {
      case hidden, leak, connections
      case spectralRadius = "spectral_radius"
      case inputScaling = "input_scaling"
      case biasScaling = "bias_scaling"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      self.init(hidden: try keys.hiddenUnits(.hidden))
      spectralRadius = try keys.scale(.spectralRadius, default: spectralRadius)
      leak = try keys.scale(.leak, default: leak)
      guard leak > 0 && leak <= 1 else {
        throw DecodingError.dataCorruptedError(
          forKey: .leak, in: keys, debugDescription: "leak must be above 0 and at most 1")
      }
      inputScaling = try keys.scale(.inputScaling, default: inputScaling)
      biasScaling = try keys.scale(.biasScaling, default: biasScaling)
      connections = try keys.decodeIfPresent(Int.self, forKey: .connections) ?? connections
      _ = try keys.checkedWidth(connections, .connections)
    }
  }
}

extension KeyedDecodingContainer {
  /// Decodes a finite number that is not negative.
  fileprivate func scale(_ key: Key, default value: Double) throws -> Double {
    let value = try decodeIfPresent(Double.self, forKey: key) ?? value
    guard value >= 0 && value.isFinite else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "\(key.stringValue) must not be negative")
    }
    return value
  }
}
