internal import Names

/// A residual block: `x + mixer(norm(x))`, and of that y, `y + mlp(norm(y))`.
///
///     block:
///       norm: rmsnorm
///       mixer: {cell: lstm, hidden: 256}
///       mlp: {kind: swiglu, factor: 2.67, round: 64}
public struct BlockOptions: Equatable, Sendable {
  /// The normalisation before the mixer and before the MLP.
  public var norm: NormOptions
  public var mixer: MixerOptions
  /// The options of the MLP; nil for a block without one.
  public var mlp: MLPOptions?
  /// The variance of the first weights of the products that end in the residual stream, times the numbers
  /// that such a product reads; nil for the layer's initializer.
  public var outputVariance: Double?

  public init(
    norm: NormOptions = NormOptions(), mixer: MixerOptions, mlp: MLPOptions? = nil,
    outputVariance: Double? = nil
  ) {
    self.norm = norm
    self.mixer = mixer
    self.mlp = mlp
    self.outputVariance = outputVariance
  }
}

/// The part of a block that reads earlier steps: a cell, between projections.
///
///     u = conv(x W_in)          each where it is asked for
///     y = (cell(u) ∘ f(x W_g)) W_out
public struct MixerOptions: Equatable, Sendable {
  /// The name of the cell in the registry.
  public var cell: String
  public var options: any CellOptions
  /// The width of the product before the cell; nil for none.
  public var inProjection: Int?
  /// The convolution between that product and the cell; nil for none.
  public var convolution: ConvolutionOptions?
  /// The function f of the branch by which the cell's output is multiplied; nil for none.
  public var gate: PointwiseFunction?
  /// True for a product after the cell; nil for one where the widths of the cell and of the block differ.
  public var outProjection: Bool?
  /// True if the three products have biases.
  public var bias: Bool

  public init(
    cell: String, _ options: any CellOptions, inProjection: Int? = nil,
    convolution: ConvolutionOptions? = nil, gate: PointwiseFunction? = nil,
    outProjection: Bool? = nil, bias: Bool = true
  ) {
    self.cell = cell
    self.options = options
    self.inProjection = inProjection
    self.convolution = convolution
    self.gate = gate
    self.outProjection = outProjection
    self.bias = bias
  }

  public static func == (a: MixerOptions, b: MixerOptions) -> Bool {
    a.cell == b.cell && AnyHashable(a.options) == AnyHashable(b.options)
      && a.inProjection == b.inProjection && a.convolution == b.convolution && a.gate == b.gate
      && a.outProjection == b.outProjection && a.bias == b.bias
  }
}

/// The part of a block that computes each step by itself.
///
/// With f of `kind`: `f(x W_up) W_down`, or with a gate `(f(x W_gate) ∘ (x W_up)) W_down` (Shazeer 2020). With a
/// token shift, x is a mixture of the input and that of the step before, as in the channel mix of RWKV.
public struct MLPOptions: Hashable, Sendable {
  public enum Kind: String, Codable, CaseIterable, Sendable {
    case gelu, geglu, swiglu
    case geluTanh = "gelu_tanh"
    case gegluTanh = "geglu_tanh"
    case squaredRelu = "squared_relu"
  }

  public var kind: Kind
  /// The width between the two products, in multiples of the block's.
  public var factor: Double
  /// That width is rounded up to a multiple of this number.
  public var round: Int
  public var bias: Bool
  /// True for x + μ ∘ (x₋ − x) in place of x.
  public var tokenShift: Bool
  /// e: μ starts at 1 − (j/n)ᵉ; nil for ½.
  public var shiftExponent: Double?
  /// b: the first weights of W_up, and W_gate, are uniform in ±b/√in; nil for the layer's initializer.
  public var upBound: Double?

  /// - Parameters:
  ///   - kind: The function f, and whether there is a gate.
  ///   - factor: The width between the two products, in multiples of the block's; nil for 4, or 8/3
  ///     with a gate, which costs the same.
  ///   - round: The number that this width is rounded up to a multiple of.
  ///   - bias: True if the products have biases.
  ///   - tokenShift: True for x + μ ∘ (x₋ − x) in place of x.
  ///   - shiftExponent: The exponent e with which μ starts at 1 − (j/n)ᵉ; nil for ½.
  ///   - upBound: The bound b of the first weights of W_up and W_gate, uniform in ±b/√in; nil for
  ///     the layer's initializer.
  public init(
    _ kind: Kind, factor: Double? = nil, round: Int = 1, bias: Bool = true,
    tokenShift: Bool = false, shiftExponent: Double? = nil, upBound: Double? = nil
  ) {
    self.tokenShift = tokenShift
    self.shiftExponent = shiftExponent
    self.upBound = upBound
    self.kind = kind
    self.factor = factor ?? (kind.isGated ? 8.0 / 3 : 4)
    self.round = round
    self.bias = bias
  }

  /// Returns the width between the two products of a block.
  public func width(of block: Int) -> Int {
    let exact = max(Int((factor * Double(block)).rounded()), 1)
    return (exact + round - 1) / round * round
  }
}

extension MLPOptions.Kind {
  /// True if the function is that of a gate.
  var isGated: Bool {
    switch self {
    case .geglu, .gegluTanh, .swiglu: true
    case .gelu, .geluTanh, .squaredRelu: false
    }
  }

  var function: PointwiseFunction {
    switch self {
    case .gelu, .geglu: .gelu
    case .geluTanh, .gegluTanh: .geluTanh
    case .swiglu: .silu
    case .squaredRelu: .squaredRelu
    }
  }
}

// MARK: Configurations

extension MLPOptions: Codable {
  private enum CodingKeys: String, CodingKey {
    case kind, factor, round, bias
    case tokenShift = "token_shift"
    case shiftExponent = "shift_exponent"
    case upBound = "up_bound"
  }

  /// Decodes a kind, or a kind with its options: `gelu`, `{kind: swiglu, factor: 2.67, round: 64}`.
  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      guard let kind = Kind(rawValue: name) else {
        throw DecodingError.unknownName(
          UnknownName(name, of: "mlp", among: Kind.allCases.map(\.rawValue)),
          at: decoder.codingPath)
      }
      self.init(kind)
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      try keys.decode(Kind.self, forKey: .kind),
      factor: try keys.decodeIfPresent(Double.self, forKey: .factor),
      round: try keys.decodeIfPresent(Int.self, forKey: .round).map {
        try keys.checkedWidth($0, .round, largest: 1 << 16)
      } ?? 1,
      bias: try keys.decodeIfPresent(Bool.self, forKey: .bias) ?? true,
      tokenShift: try keys.decodeIfPresent(Bool.self, forKey: .tokenShift) ?? false,
      shiftExponent: try keys.decodeIfPresent(Double.self, forKey: .shiftExponent),
      upBound: try keys.decodeIfPresent(Double.self, forKey: .upBound))
    if let (key, problem) = problem {
      throw DecodingError.dataCorruptedError(forKey: key, in: keys, debugDescription: problem)
    }
    guard factor > 0, factor <= 64 else {
      throw DecodingError.dataCorruptedError(
        forKey: .factor, in: keys, debugDescription: "factor must be above 0 and at most 64")
    }
  }

  private var problem: (CodingKeys, String)? {
    if let shiftExponent {
      if !tokenShift {
        return (.shiftExponent, "shift_exponent needs a token shift; set token_shift to true")
      }
      if shiftExponent < 0 { return (.shiftExponent, "shift_exponent must not be negative") }
    }
    if let upBound, upBound < 0 { return (.upBound, "up_bound must not be negative") }
    return nil
  }
}

extension MixerOptions {
  fileprivate enum CodingKeys: String, CodingKey {
    case cell, conv, gate
    case inProjection = "in_projection"
    case outProjection = "out_projection"
    case bias = "projection_bias"
  }

  fileprivate init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    cell = try keys.decode(String.self, forKey: .cell)
    options = try cellOptions(cell, from: decoder, keys, .cell)
    inProjection = try keys.decodeIfPresent(Int.self, forKey: .inProjection).map {
      try keys.checkedWidth($0, .inProjection)
    }
    convolution = try keys.decodeIfPresent(ConvolutionOptions.self, forKey: .conv)
    gate = try keys.decodeIfPresent(PointwiseFunction.self, forKey: .gate)
    outProjection = try keys.decodeIfPresent(Bool.self, forKey: .outProjection)
    bias = try keys.decodeIfPresent(Bool.self, forKey: .bias) ?? true
  }

  fileprivate func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(cell, forKey: .cell)
    try options.encode(to: encoder)
    try keys.encodeIfPresent(inProjection, forKey: .inProjection)
    try keys.encodeIfPresent(convolution, forKey: .conv)
    try keys.encodeIfPresent(gate, forKey: .gate)
    try keys.encodeIfPresent(outProjection, forKey: .outProjection)
    try keys.encode(bias, forKey: .bias)
  }
}

/// A block as a configuration has it: the options of the mixer stand beside those that surround its cell.
struct BlockSection: Codable {
  let block: BlockOptions
  let surroundings: RecurrentLayerOptions

  init(_ block: BlockOptions, _ surroundings: RecurrentLayerOptions) {
    self.block = block
    self.surroundings = surroundings
  }

  private enum CodingKeys: String, CodingKey {
    case norm, mixer, mlp
    case outputVariance = "output_variance"
  }

  private struct Mixer: Codable {
    let mixer: MixerOptions
    let surroundings: RecurrentLayerOptions

    init(_ mixer: MixerOptions, _ surroundings: RecurrentLayerOptions) {
      self.mixer = mixer
      self.surroundings = surroundings
    }

    init(from decoder: any Decoder) throws {
      mixer = try MixerOptions(from: decoder)
      surroundings = try RecurrentLayerOptions(from: decoder, around: mixer.options)
    }

    func encode(to encoder: any Encoder) throws {
      try mixer.encode(to: encoder)
      try surroundings.encode(to: encoder)
    }
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let mixer = try keys.decode(Mixer.self, forKey: .mixer)
    block = BlockOptions(
      norm: try keys.decodeIfPresent(NormOptions.self, forKey: .norm) ?? NormOptions(),
      mixer: mixer.mixer, mlp: try keys.decodeIfPresent(MLPOptions.self, forKey: .mlp),
      outputVariance: try keys.decodeIfPresent(Double.self, forKey: .outputVariance))
    surroundings = mixer.surroundings
    guard block.outputVariance ?? 0 >= 0 else {
      throw DecodingError.dataCorruptedError(
        forKey: .outputVariance, in: keys,
        debugDescription: "output_variance must not be negative")
    }
  }

  func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(block.norm, forKey: .norm)
    try keys.encode(Mixer(block.mixer, surroundings), forKey: .mixer)
    try keys.encodeIfPresent(block.mlp, forKey: .mlp)
    try keys.encodeIfPresent(block.outputVariance, forKey: .outputVariance)
  }
}

/// Decodes the options of a cell, which stand beside its name.
func cellOptions<Keys: CodingKey>(
  _ name: String, from decoder: any Decoder, _ keys: KeyedDecodingContainer<Keys>, _ key: Keys
) throws -> any CellOptions {
  guard let type = cell(named: name) else {
    throw keys.unknownName(name, of: "cell", among: cellNames, forKey: key)
  }
  func options<Cell: RecurrentCell>(of cell: Cell.Type) throws -> any CellOptions {
    try Cell.Options(from: decoder)
  }
  return try options(of: type)
}
