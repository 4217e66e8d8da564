internal import LinearAlgebra

/// The part α of its state that a leaky unit keeps.
///
/// Written as `learnt`, a number in [0, 1), or `[low, high]`.
public enum LeakyRetention: Codable, Hashable, Sendable {
  case learnt
  /// One number for all units.
  case fixed(Double)
  /// Even steps from the first unit's α to the last unit's.
  case spread(Double, Double)

  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let name = try? value.decode(String.self), name == "learnt" {
      self = .learnt
    } else if let alpha = try? value.decode(Double.self), 0 <= alpha && alpha < 1 {
      self = .fixed(alpha)
    } else if let ends = try? value.decode([Double].self), ends.count == 2,
      ends.allSatisfy({ 0 <= $0 && $0 < 1 })
    {
      self = .spread(ends[0], ends[1])
    } else {
      throw DecodingError.dataCorruptedError(
        in: value,
        debugDescription: "alpha is learnt, or a number of at least 0 and below 1, or two of them, "
          + "[low, high]")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .learnt: try value.encode("learnt")
    case .fixed(let alpha): try value.encode(alpha)
    case .spread(let low, let high): try value.encode([low, high])
    }
  }

  /// Fills in the α of every unit; does nothing for a learnt α.
  func fill(_ alpha: Row) {
    switch self {
    case .learnt: break
    case .fixed(let value): for j in 0..<alpha.count { alpha[j] = Real(value) }
    case .spread(let low, let high):
      let step = (high - low) / Double(max(alpha.count - 1, 1))
      for j in 0..<alpha.count { alpha[j] = Real(low + step * Double(j)) }
    }
  }
}
