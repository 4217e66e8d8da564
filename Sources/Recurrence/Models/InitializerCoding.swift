internal import Names

// The forms of an initializer in a configuration.

extension Initializer: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case uniform, normal, orthogonal }

  /// Decodes a name, or a name with its spread: `orthogonal`, `{uniform: 0.1}`.
  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      switch name {
      case "pytorch": self = .pytorch
      case "xavier": self = .xavier
      case "lecun": self = .lecun
      case "orthogonal": self = .orthogonal
      default:
        throw DecodingError.unknownName(
          UnknownName(
            name, of: "initializer", among: ["pytorch", "orthogonal", "xavier", "lecun"],
            or: "with a spread: {uniform: s}, {normal: s} or {orthogonal: s}"),
          at: decoder.codingPath)
      }
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let uniform = try keys.decodeIfPresent(Double.self, forKey: .uniform)
    let normal = try keys.decodeIfPresent(Double.self, forKey: .normal)
    let orthogonal = try keys.decodeIfPresent(Double.self, forKey: .orthogonal)
    switch (uniform, normal, orthogonal) {
    case (let s?, nil, nil) where s >= 0: self = .uniform(s)
    case (nil, let s?, nil) where s >= 0: self = .normal(s)
    case (nil, nil, let s?) where s >= 0: self = .scaledOrthogonal(s)
    default:
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription:
            "an initializer with a spread is {uniform: s}, {normal: s} or {orthogonal: s}, s ≥ 0"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .pytorch: try encode("pytorch", to: encoder)
    case .xavier: try encode("xavier", to: encoder)
    case .lecun: try encode("lecun", to: encoder)
    case .orthogonal: try encode("orthogonal", to: encoder)
    case .uniform(let s):
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(s, forKey: .uniform)
    case .normal(let s):
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(s, forKey: .normal)
    case .scaledOrthogonal(let s):
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(s, forKey: .orthogonal)
    }
  }

  private func encode(_ name: String, to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(name)
  }
}
