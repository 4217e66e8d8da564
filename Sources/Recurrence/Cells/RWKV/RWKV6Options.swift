internal import LinearAlgebra

extension RWKV6 {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The number of memories; a divisor of `hidden`.
    public var heads: Int
    /// False if the cell reads x itself.
    public var inputWeights: Bool
    /// The widths of the low-rank maps of the mixtures and of w.
    public var mixRank, decayRank: Int
    /// ε of the norm of each head.
    public var normEps: Double
    /// l of L: the place among the layers of this cell, for first values.
    public var layerIndex, layerCount: Int

    /// - Parameters:
    ///   - hidden: The number of units.
    ///   - heads: The number of memories; a divisor of `hidden`.
    ///   - inputWeights: False if the cell reads x itself.
    ///   - mixRank: The width of the low-rank maps of the mixtures; nil for the published number of
    ///     this width.
    ///   - decayRank: The width of the low-rank map of w; nil for the published number of this
    ///     width.
    ///   - normEps: ε of the norm of each head.
    ///   - layerIndex: The place among the layers of this cell, from 0, for first values.
    ///   - layerCount: The number of layers of this cell.
    public init(
      hidden: Int, heads: Int = 1, inputWeights: Bool = true, mixRank: Int? = nil,
      decayRank: Int? = nil, normEps: Double = 64e-5, layerIndex: Int = 0, layerCount: Int = 1
    ) {
      precondition(hidden.isMultiple(of: heads), "\(heads) heads of \(hidden) units")
      precondition((0..<layerCount).contains(layerIndex), "layer \(layerIndex) of \(layerCount)")
      self.hidden = hidden
      self.heads = heads
      self.inputWeights = inputWeights
      self.mixRank = mixRank ?? (hidden < 4096 ? 32 : 64)
      self.decayRank = decayRank ?? (hidden < 4096 ? 64 : 128)
      self.normEps = normEps
      self.layerIndex = layerIndex
      self.layerCount = layerCount
    }

    public var hasState: Bool { false }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads
      case inputWeights = "input_weights"
      case mixRank = "mix_rank"
      case decayRank = "decay_rank"
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
        mixRank: try keys.width(.mixRank), decayRank: try keys.width(.decayRank),
        normEps: try keys.normEps(.normEps), layerIndex: index, layerCount: count)
    }
  }
}

/// The first values of the vectors of an RWKV-6 layer, as in the training program of its authors.
///
/// j counts the n units from 0, and the layer is l of L. With p = l/(L − 1) and q = 1 − l/L,
///
///     w₀ = −6 + 5 (j/(n−1))^(0.7 + 1.3 p)
///     u = p (1 − j/(n−1)) + 0.1 ((j + 1) mod 3 − 1)
///     μ = 1 − (j/n)^(c q),   c = ½ of r and g, 1 of the others;   μ of v = 1 − (j/n)^q − 0.3 p
///     the gain of the norm = ((1 + l)/L)^0.7
struct RWKV6FirstValues {
  private let units: Int
  /// p and q.
  private let place, left: Double
  /// The gain of the norm of each head.
  let gain: Double

  init(_ options: RWKV6.Options) {
    units = options.hidden
    let (index, count) = (Double(options.layerIndex), Double(options.layerCount))
    place = index / max(count - 1, 1)
    left = 1 - index / count
    gain = power((1 + index) / count, 0.7)
  }

  var decay: [Double] {
    (0..<units).map { -6 + 5 * raised(share($0), 0.7 + 1.3 * place) }
  }
  var bonus: [Double] {
    (0..<units).map { place * (1 - share($0)) + 0.1 * Double(($0 + 1) % 3 - 1) }
  }

  /// μ of r, w, k, v or g, and of the mixture that they depend on.
  func mix(_ name: Character) -> [Double] {
    let mix = tokenShiftMix(units, exponent: name == "r" || name == "g" ? 0.5 * left : left)
    return name == "v" ? mix.map { $0 - 0.3 * place } : mix
  }

  /// j/(n − 1)
  private func share(_ j: Int) -> Double { Double(j) / Double(max(units - 1, 1)) }
}
