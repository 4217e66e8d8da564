/// The options of a readout, an output layer fitted by ridge regression: `readout: {ridge: 1e-6,
/// washout: 100}`.
public struct ReadoutOptions: Codable, Equatable, Sendable {
  /// λ, which is added to the diagonal of XᵀX, a sum over all rows.
  public var ridge: Double
  /// The number of steps at the start of each stream or sequence that are left out.
  public var washout: Int

  public init(ridge: Double = 1e-6, washout: Int = 0) {
    self.ridge = ridge
    self.washout = washout
  }

  enum CodingKeys: String, CodingKey { case ridge, washout }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init()
    ridge = try keys.decode(.ridge, default: ridge)
    try keys.require(ridge >= 0 && ridge.isFinite, .ridge, "ridge must be at least 0")
    washout = try keys.decode(.washout, default: washout, from: 0...largestCount)
  }
}
