extension LSTM {
  public enum Peephole: String, Codable, CaseIterable, Sendable {
    case none, gers, previous
  }

  public struct Options: CellOptions {
    public var hidden: Int
    public var forgetBias: Double?
    public var peephole: Peephole
    public var projection: Int?
    public var coupled: Bool
    public var layerNorm: Bool
    public var chrono: Int?
    /// The number of biases: 2 as in PyTorch, or 1 for b alone.
    public var biases: Int

    public var output: Int { projection ?? hidden }

    public init(
      hidden: Int, forgetBias: Double? = nil, peephole: Peephole = .none, projection: Int? = nil,
      coupled: Bool = false, layerNorm: Bool = false, chrono: Int? = nil, biases: Int = 2
    ) {
      self.hidden = hidden
      self.forgetBias = forgetBias
      self.peephole = peephole
      self.projection = projection
      self.coupled = coupled
      self.layerNorm = layerNorm
      self.chrono = chrono
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      forgetBias = try keys.decodeIfPresent(Double.self, forKey: .forgetBias)
      peephole = try keys.decodeIfPresent(Peephole.self, forKey: .peephole) ?? .none
      projection = try keys.decodeIfPresent(Int.self, forKey: .projection)
      coupled = try keys.decodeIfPresent(Bool.self, forKey: .coupled) ?? false
      layerNorm = try keys.decodeIfPresent(Bool.self, forKey: .layerNorm) ?? false
      chrono = try keys.longestMemory(.chrono)
      biases = try keys.numberOfBiases(.biases)
      func refuse(_ key: CodingKeys, _ sentence: String) -> DecodingError {
        .dataCorruptedError(forKey: key, in: keys, debugDescription: sentence)
      }
      if let projection, projection < 1 || projection >= hidden {
        throw refuse(
          .projection, "a projection is narrower than hidden (\(hidden)) and at least 1")
      }
      if forgetBias != nil && coupled {
        throw refuse(.forgetBias, "a coupled lstm has no forget gate; leave out forget_bias")
      }
      if forgetBias != nil && chrono != nil {
        throw refuse(
          .forgetBias, "forget_bias and chrono both set the forget gate's bias; leave out one")
      }
    }

    enum CodingKeys: String, CodingKey {
      case hidden, peephole, projection, coupled, chrono, biases
      case forgetBias = "forget_bias"
      case layerNorm = "layer_norm"
    }
  }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, biases: 1),
      Options(hidden: hidden, forgetBias: 1),
      Options(hidden: hidden, peephole: .gers), Options(hidden: hidden, peephole: .previous),
      Options(hidden: hidden, projection: hidden - 2),
      Options(hidden: hidden, peephole: .gers, projection: hidden - 2),
      Options(hidden: hidden, coupled: true),
      Options(hidden: hidden, peephole: .gers, coupled: true, chrono: 20),
      Options(hidden: hidden, peephole: .previous, projection: hidden - 2, coupled: true),
      Options(hidden: hidden, chrono: 20),
      Options(hidden: hidden, layerNorm: true),
      Options(hidden: hidden, forgetBias: 1, peephole: .previous, layerNorm: true),
      Options(
        hidden: hidden, peephole: .gers, projection: hidden - 2, coupled: true, layerNorm: true,
        biases: 1),
    ]
  }

  public static func gates(_ options: Options) -> Int { options.coupled ? 3 : 4 }

  /// Returns 0 with layer normalisation, which adds the biases itself, after normalising.
  public static func biasedGates(_ options: Options) -> Int {
    options.layerNorm ? 0 : gates(options)
  }

  public static func inputBias(_ options: Options) -> [InitialValue.Part] {
    let count = gates(options)
    if let longest = options.chrono {
      let input = InitialValue.Part(0, of: count, .chrono(longest: longest, sign: -1))
      let forget = InitialValue.Part(1, of: count, .chrono(longest: longest, sign: 1))
      return options.coupled ? [input] : [input, forget]
    }
    return options.forgetBias.map { [InitialValue.Part(1, of: count, $0)] } ?? []
  }
}
