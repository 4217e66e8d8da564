extension RWKV7 {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The number of memories; a divisor of `hidden`.
    public var heads: Int
    /// False if the cell reads x itself.
    public var inputWeights: Bool
    /// True if v is mixed with that of the first layer of this cell.
    public var valueResidual: Bool
    /// The widths of the low-rank maps of w, a, v and g.
    public var decayRank, rateRank, valueRank, gateRank: Int
    /// ε of the norm of each head.
    public var normEps: Double
    /// l of L: the place among the layers of this cell, for first values.
    public var layerIndex, layerCount: Int

    /// - Parameters:
    ///   - hidden: The number of units.
    ///   - heads: The number of memories; a divisor of `hidden`.
    ///   - inputWeights: False if the cell reads x itself.
    ///   - valueResidual: True if v is mixed with that of the first layer of this cell.
    ///   - decayRank: The width of the low-rank map of w; nil for the published number of this
    ///     width.
    ///   - rateRank: The width of the low-rank map of a; nil for the published number of this
    ///     width.
    ///   - valueRank: The width of the low-rank map of v; nil for the published number of this
    ///     width. Without `valueResidual` it has no effect.
    ///   - gateRank: The width of the low-rank map of g; nil for the published number of this
    ///     width.
    ///   - normEps: ε of the norm of each head.
    ///   - layerIndex: The place among the layers of this cell, from 0, for first values.
    ///   - layerCount: The number of layers of this cell.
    public init(
      hidden: Int, heads: Int = 1, inputWeights: Bool = true, valueResidual: Bool = false,
      decayRank: Int? = nil, rateRank: Int? = nil, valueRank: Int? = nil, gateRank: Int? = nil,
      normEps: Double = 64e-5, layerIndex: Int = 0, layerCount: Int = 1
    ) {
      precondition(hidden.isMultiple(of: heads), "\(heads) heads of \(hidden) units")
      precondition((0..<layerCount).contains(layerIndex), "layer \(layerIndex) of \(layerCount)")
      self.hidden = hidden
      self.heads = heads
      self.inputWeights = inputWeights
      self.valueResidual = valueResidual
      self.decayRank = decayRank ?? Self.rank(hidden, 2.5)
      self.rateRank = rateRank ?? Self.rank(hidden, 2.5)
      // Without a mixture there is nothing that has a rank.
      let given = valueResidual ? valueRank : nil
      self.valueRank = given ?? Self.rank(hidden, 1.7)
      self.gateRank = gateRank ?? Self.rank(hidden, 5)
      self.normEps = normEps
      self.layerIndex = layerIndex
      self.layerCount = layerCount
    }

    public var hasState: Bool { false }

    /// Returns c √n rounded to a multiple of 32, at least 32.
    private static func rank(_ width: Int, _ factor: Double) -> Int {
      let blocks = (factor * Double(width).squareRoot() / 32).rounded(.toNearestOrEven)
      return max(32, Int(blocks) * 32)
    }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads
      case inputWeights = "input_weights"
      case valueResidual = "value_residual"
      case decayRank = "decay_rank"
      case rateRank = "rate_rank"
      case valueRank = "value_rank"
      case gateRank = "gate_rank"
      case normEps = "norm_eps"
      case layerIndex = "layer_index"
      case layerCount = "layer_count"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      let hidden = try keys.hiddenUnits(.hidden)
      let (index, count) = try keys.layerPlace(.layerIndex, of: .layerCount)
      self.init(
        hidden: hidden, heads: try keys.heads(.heads, dividing: hidden, "hidden"),
        inputWeights: try keys.decodeIfPresent(Bool.self, forKey: .inputWeights) ?? true,
        valueResidual: try keys.decodeIfPresent(Bool.self, forKey: .valueResidual) ?? false,
        decayRank: try keys.width(.decayRank), rateRank: try keys.width(.rateRank),
        valueRank: try keys.width(.valueRank), gateRank: try keys.width(.gateRank),
        normEps: try keys.normEps(.normEps), layerIndex: index, layerCount: count)
      if let given = try keys.width(.valueRank), given != valueRank {
        throw DecodingError.dataCorruptedError(
          forKey: .valueRank, in: keys,
          debugDescription: "value_rank needs value_residual; set value_residual to true")
      }
    }
  }
}
