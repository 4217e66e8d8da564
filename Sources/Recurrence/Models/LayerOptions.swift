/// One layer of a model in a configuration: a cell and its options, or a linear map.
///
///     {cell: lstm, hidden: 200, dropout: 0.2, residual: true}
///     {linear: 100}
public struct LayerOptions: Codable, Equatable, Sendable {
  /// The computation of the layer.
  public enum Kind: Equatable, Sendable {
    case recurrent(cell: String, any CellOptions)
    case linear(Int)

    public static func == (a: Kind, b: Kind) -> Bool {
      switch (a, b) {
      case (.recurrent(let cell, let options), .recurrent(let other, let others)):
        cell == other && AnyHashable(options) == AnyHashable(others)
      case (.linear(let width), .linear(let other)): width == other
      default: false
      }
    }
  }

  public var kind: Kind
  /// The dropout on this layer's output; nil for the model's dropout.
  public var dropout: Double?
  /// The rate at which training drops numbers of the cell's recurrent weights (Merity 2017).
  public var weightDropout: Double
  /// True for a residual connection around the layer.
  public var residual: Bool
  /// The combination with a second layer of the same kind that reads each sequence backwards; nil
  /// for one direction.
  public var bidirectional: Bidirectional.Combination?
  /// The initializer of this layer; nil for the model's initializer.
  public var initializer: Initializer?
  /// True if the layer keeps its initial weights.
  public var frozen: Bool
  /// The factor on the learning rate in this layer.
  public var rate: Double
  /// The options that surround the layer's cell, such as zoneout and feedback.
  public var surroundings: RecurrentLayerOptions

  public init(
    _ kind: Kind, dropout: Double? = nil, weightDropout: Double = 0, residual: Bool = false,
    bidirectional: Bidirectional.Combination? = nil,
    initializer: Initializer? = nil, frozen: Bool = false, rate: Double = 1,
    surroundings: RecurrentLayerOptions = RecurrentLayerOptions()
  ) {
    self.kind = kind
    self.dropout = dropout
    self.weightDropout = weightDropout
    self.residual = residual
    self.bidirectional = bidirectional
    self.initializer = initializer
    self.frozen = frozen
    self.rate = rate
    self.surroundings = surroundings
  }

  enum CodingKeys: String, CodingKey {
    case cell, linear, dropout, residual, bidirectional, initializer, frozen, rate
    case weightDropout = "weight_dropout"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let cell = try keys.decodeIfPresent(String.self, forKey: .cell)
    let linear = try keys.decodeIfPresent(Int.self, forKey: .linear)
    switch (cell, linear) {
    case (let name?, nil):
      guard let type = cells[name] else {
        let known = cells.keys.sorted().joined(separator: ", ")
        throw DecodingError.dataCorruptedError(
          forKey: .cell, in: keys, debugDescription: "no cell is called \(name); there are \(known)"
        )
      }
      kind = .recurrent(cell: name, try Self.options(of: type, from: decoder))
    case (nil, let width?):
      kind = .linear(try keys.checkedWidth(width, .linear))
    case (nil, nil):
      throw DecodingError.keyNotFound(
        CodingKeys.cell,
        .init(codingPath: decoder.codingPath, debugDescription: "a layer needs a cell"))
    case (_?, _?):
      throw DecodingError.dataCorruptedError(
        forKey: .linear, in: keys, debugDescription: "a layer is a cell or linear, not both")
    }
    dropout = try keys.dropoutRate(.dropout)
    weightDropout = try keys.dropoutRate(.weightDropout) ?? 0
    residual = try keys.decodeIfPresent(Bool.self, forKey: .residual) ?? false
    bidirectional = try keys.decodeIfPresent(
      Bidirectional.Combination.self, forKey: .bidirectional)
    if bidirectional != nil, linear != nil {
      throw DecodingError.dataCorruptedError(
        forKey: .bidirectional, in: keys,
        debugDescription: "a linear layer cannot be bidirectional; remove bidirectional")
    }
    initializer = try keys.decodeIfPresent(Initializer.self, forKey: .initializer)
    frozen = try keys.decodeIfPresent(Bool.self, forKey: .frozen) ?? false
    rate = try keys.rateFactor(.rate)
    surroundings = RecurrentLayerOptions()
    guard case .recurrent(_, let options) = kind else { return }
    surroundings = try RecurrentLayerOptions(from: decoder, around: options)
  }

  private static func options<Cell: RecurrentCell>(
    of cell: Cell.Type, from decoder: any Decoder
  ) throws -> any CellOptions {
    try Cell.Options(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    switch kind {
    case .recurrent(let cell, let options):
      try keys.encode(cell, forKey: .cell)
      try options.encode(to: encoder)
    case .linear(let width): try keys.encode(width, forKey: .linear)
    }
    try keys.encodeIfPresent(dropout, forKey: .dropout)
    try keys.encode(residual, forKey: .residual)
    try keys.encodeIfPresent(bidirectional, forKey: .bidirectional)
    try keys.encodeIfPresent(initializer, forKey: .initializer)
    try keys.encode(frozen, forKey: .frozen)
    try keys.encode(rate, forKey: .rate)
    guard case .recurrent = kind else { return }
    if encoder.userInfo[.isStructure] == nil {
      try keys.encode(weightDropout, forKey: .weightDropout)
    }
    try surroundings.encode(to: encoder)
  }
}

extension CodingUserInfoKey {
  /// The key of encoders that describe the computation of a layer, which dropped weights are no part of:
  /// a checkpoint may be used with other dropout.
  static let isStructure = CodingUserInfoKey(rawValue: "isStructure")!
}

extension LayerOptions {
  /// True if steps read earlier steps of the layer.
  package var hasState: Bool { surroundings.feedback != nil || cellHasState }

  /// True if the layer by itself has no parameters: a reservoir without feedback.
  package var learnsNothing: Bool {
    guard case .recurrent(_, let options) = kind, options is EchoState.Options else { return false }
    return surroundings.feedback == nil && !surroundings.feedsTargets
      && surroundings.initialState != .learnt
  }

  /// True if the output of the cell is a state.
  var cellHasState: Bool {
    if case .recurrent(_, let options) = kind { options.hasState } else { false }
  }

  /// True if the layer's cell has weights through which a state reaches the next one.
  package var hasRecurrentWeights: Bool {
    guard case .recurrent(let name, let options) = kind, let type = cells[name] else {
      return false
    }
    func hasWeights<Cell: RecurrentCell>(_ cell: Cell.Type) -> Bool {
      var plan = Plan()
      guard let options = options as? Cell.Options else { return false }
      return !cell.init(options, in: &plan).recurrentWeights.isEmpty
    }
    return hasWeights(type)
  }

  /// The delays, in steps, with which the layer reads its input.
  var inputDelays: [Int] {
    guard case .recurrent(let name, let options) = kind, let type = cells[name] else { return [0] }
    func delays<Cell: RecurrentCell>(_ cell: Cell.Type) -> [Int] {
      (options as? Cell.Options).map(Cell.inputDelays) ?? [0]
    }
    return delays(type)
  }

  /// True if a step reads the target of the step before.
  var feedsTargets: Bool {
    guard case .recurrent(_, let options) = kind else { return false }
    return options.feedsTargets || surroundings.feedsTargets
  }

  /// The width of the layer's output.
  public var width: Int {
    switch kind {
    case .linear(let width): width
    case .recurrent(_, let options):
      (surroundings.feedback?.width ?? options.output) * (bidirectional == .concat ? 2 : 1)
    }
  }

  var isRecurrent: Bool { if case .recurrent = kind { true } else { false } }
}

extension KeyedDecodingContainer {
  /// Decodes a factor on the learning rate; 1 by default.
  func rateFactor(_ key: Key) throws -> Double {
    let rate = try decodeIfPresent(Double.self, forKey: key) ?? 1
    guard rate >= 0 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "\(key.stringValue) must not be negative")
    }
    return rate
  }

  /// Decodes a probability below 1; nil if the key is absent.
  func dropoutRate(_ key: Key) throws -> Double? {
    guard let rate = try decodeIfPresent(Double.self, forKey: key) else { return nil }
    guard rate >= 0 && rate < 1 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "\(key.stringValue) must be at least 0 and below 1"
      )
    }
    return rate
  }
}

extension Initializer: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case uniform, normal }

  /// Decodes a name, or a name with its spread: `orthogonal`, `{uniform: 0.1}`.
  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      switch name {
      case "pytorch": self = .pytorch
      case "xavier": self = .xavier
      case "orthogonal": self = .orthogonal
      default:
        throw DecodingError.dataCorrupted(
          .init(
            codingPath: decoder.codingPath,
            debugDescription:
              "no initializer is called \(name); there are pytorch, orthogonal, xavier, "
              + "{uniform: s} and {normal: s}"))
      }
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let uniform = try keys.decodeIfPresent(Double.self, forKey: .uniform)
    let normal = try keys.decodeIfPresent(Double.self, forKey: .normal)
    switch (uniform, normal) {
    case (let s?, nil) where s >= 0: self = .uniform(s)
    case (nil, let s?) where s >= 0: self = .normal(s)
    default:
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "an initializer with a spread is {uniform: s} or {normal: s}, s ≥ 0"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .pytorch: try encode("pytorch", to: encoder)
    case .xavier: try encode("xavier", to: encoder)
    case .orthogonal: try encode("orthogonal", to: encoder)
    case .uniform(let s):
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(s, forKey: .uniform)
    case .normal(let s):
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(s, forKey: .normal)
    }
  }

  private func encode(_ name: String, to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(name)
  }
}
