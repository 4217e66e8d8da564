/// One layer of a model in a configuration: a cell and its options, a block around a cell, a linear map,
/// a convolution or a token shift.
///
///     {cell: lstm, hidden: 200, dropout: 0.2, residual: true}
///     {block: {mixer: {cell: lstm, hidden: 200}, mlp: swiglu}}
///     {linear: 100}
public struct LayerOptions: Codable, Equatable, Sendable {
  /// The computation of the layer.
  public enum Kind: Equatable, Sendable {
    case recurrent(cell: String, any CellOptions)
    case linear(Int)
    case block(BlockOptions)
    case convolution(ConvolutionOptions)
    case tokenShift

    public static func == (a: Kind, b: Kind) -> Bool {
      switch (a, b) {
      case (.recurrent(let cell, let options), .recurrent(let other, let others)):
        cell == other && AnyHashable(options) == AnyHashable(others)
      case (.linear(let width), .linear(let other)): width == other
      case (.block(let block), .block(let other)): block == other
      case (.convolution(let options), .convolution(let other)): options == other
      case (.tokenShift, .tokenShift): true
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

  enum CodingKeys: String, CodingKey, CaseIterable {
    case cell, linear, block, conv, dropout, residual, bidirectional, initializer, frozen, rate
    case tokenShift = "token_shift"
    case weightDropout = "weight_dropout"

    /// The keys that say what a layer computes; a layer has one of them.
    static let kinds: [CodingKeys] = [.cell, .linear, .block, .conv, .tokenShift]
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    surroundings = RecurrentLayerOptions()
    // Null is the same as absent.
    let given = CodingKeys.kinds.filter { (try? keys.decodeNil(forKey: $0)) == false }
    guard let chosen = given.first else {
      throw DecodingError.keyNotFound(
        CodingKeys.cell,
        .init(codingPath: decoder.codingPath, debugDescription: "a layer needs a cell"))
    }
    if given.count > 1 {
      let names = "\(given[0].rawValue) or \(given[1].rawValue)"
      throw DecodingError.dataCorruptedError(
        forKey: given[1], in: keys, debugDescription: "a layer is a \(names), not both")
    }
    switch chosen {
    case .linear:
      kind = .linear(try keys.checkedWidth(try keys.decode(Int.self, forKey: .linear), .linear))
    case .block:
      let section = try keys.decode(BlockSection.self, forKey: .block)
      (kind, surroundings) = (.block(section.block), section.surroundings)
    case .conv:
      kind = .convolution(try keys.decode(ConvolutionOptions.self, forKey: .conv))
    case .tokenShift:
      kind = .tokenShift
      guard try keys.decode(Bool.self, forKey: .tokenShift) else {
        throw DecodingError.dataCorruptedError(
          forKey: .tokenShift, in: keys,
          debugDescription:
            "a layer without a token shift is no layer; set token_shift to true, or "
            + "remove the layer")
      }
    default:
      let name = try keys.decode(String.self, forKey: .cell)
      let options = try cellOptions(name, from: decoder, keys, .cell)
      kind = .recurrent(cell: name, options)
      surroundings = try RecurrentLayerOptions(from: decoder, around: options)
    }
    dropout = try keys.dropoutRate(.dropout)
    weightDropout = try keys.dropoutRate(.weightDropout) ?? 0
    residual = try keys.decodeIfPresent(Bool.self, forKey: .residual) ?? false
    bidirectional = try keys.decodeIfPresent(
      Bidirectional.Combination.self, forKey: .bidirectional)
    if bidirectional != nil, chosen != .cell {
      throw DecodingError.dataCorruptedError(
        forKey: .bidirectional, in: keys,
        debugDescription:
          "a \(chosen.rawValue) layer cannot be bidirectional; remove bidirectional")
    }
    if residual, chosen == .block {
      throw DecodingError.dataCorruptedError(
        forKey: .residual, in: keys,
        debugDescription: "a block has residual connections already; remove residual")
    }
    initializer = try keys.decodeIfPresent(Initializer.self, forKey: .initializer)
    frozen = try keys.decodeIfPresent(Bool.self, forKey: .frozen) ?? false
    rate = try keys.rateFactor(.rate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    switch kind {
    case .recurrent(let cell, let options):
      try keys.encode(cell, forKey: .cell)
      try options.encode(to: encoder)
    case .linear(let width): try keys.encode(width, forKey: .linear)
    case .block(let block):
      try keys.encode(BlockSection(block, surroundings), forKey: .block)
    case .convolution(let options): try keys.encode(options, forKey: .conv)
    case .tokenShift: try keys.encode(true, forKey: .tokenShift)
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

  /// The cell of the layer, or of the block's mixer, and its options; nil for a layer without a cell.
  public var cell: (name: String, options: any CellOptions)? {
    switch kind {
    case .recurrent(let name, let options): (name, options)
    case .block(let block): (block.mixer.cell, block.mixer.options)
    case .linear, .convolution, .tokenShift: nil
    }
  }

  /// True if the output of the cell is a state.
  var cellHasState: Bool { cell?.options.hasState ?? false }

  /// True if the layer's cell has weights through which a state reaches the next one.
  package var hasRecurrentWeights: Bool {
    guard case .recurrent(let name, let options) = kind, let type = Recurrence.cell(named: name)
    else { return false }
    func hasWeights<Cell: RecurrentCell>(_ cell: Cell.Type) -> Bool {
      var plan = Plan()
      // A cell that is fed targets asks what they are; any will do here.
      plan.scope.outputs = .symbols(1)
      guard let options = options as? Cell.Options else { return false }
      return !cell.init(options, in: &plan).recurrentWeights.isEmpty
    }
    return hasWeights(type)
  }

  /// The delays, in steps, with which the layer reads its input.
  var inputDelays: [Int] {
    guard case .recurrent(let name, let options) = kind, let type = Recurrence.cell(named: name)
    else { return [0] }
    func delays<Cell: RecurrentCell>(_ cell: Cell.Type) -> [Int] {
      (options as? Cell.Options).map(Cell.inputDelays) ?? [0]
    }
    return delays(type)
  }

  /// True if the cell reads its input itself, without weights.
  var readsInputItself: Bool {
    guard let cell, let type = Recurrence.cell(named: cell.name) else { return false }
    func reads<Cell: RecurrentCell>(_ type: Cell.Type) -> Bool {
      (cell.options as? Cell.Options).map(Cell.readsInputItself) ?? false
    }
    return reads(type)
  }

  /// True if the layer reads its input otherwise than through one product, so that the input must be an
  /// activation with a row per step.
  var readsRows: Bool {
    switch kind {
    case .recurrent: residual || readsInputItself
    case .linear: residual
    case .block, .convolution, .tokenShift: true
    }
  }

  /// True if a step reads the target of the step before.
  package var feedsTargets: Bool {
    guard let cell else { return false }
    return cell.options.feedsTargets || surroundings.feedsTargets
  }

  /// The width of the layer's output; nil where it is that of its input.
  public var ownWidth: Int? {
    switch kind {
    case .linear(let width): width
    case .recurrent(_, let options):
      (surroundings.feedback?.width ?? options.output) * (bidirectional == .concat ? 2 : 1)
    case .block, .convolution, .tokenShift: nil
    }
  }

  /// The width of the layer's output, for a layer that has one of its own.
  public var width: Int {
    guard let ownWidth else { preconditionFailure("a layer as wide as its input") }
    return ownWidth
  }

  var isRecurrent: Bool { cell != nil }

  /// True for a layer that an encoder cannot have.
  var isOfDecoders: Bool {
    switch kind {
    case .recurrent, .linear: false
    case .block, .convolution, .tokenShift: true
    }
  }

  /// The width of a mixer's output before a product that may follow.
  var mixerWidth: Int? {
    guard case .block(let block) = kind else { return nil }
    return surroundings.feedback?.width ?? block.mixer.options.output
  }

  /// Returns why the layer cannot read an input of some width, to complete "layer 1 …"; nil if it can.
  func problem(reading input: Int) -> String? {
    if residual, let ownWidth, ownWidth != input {
      return "is residual, so its width (\(ownWidth)) must be that of its input (\(input))"
    }
    guard let cell else { return nil }
    var read = input
    if case .block(let block) = kind {
      if block.mixer.outProjection == false, let mixerWidth, mixerWidth != input {
        return
          "has a mixer of \(mixerWidth) numbers inside a block of \(input); set out_projection to "
          + "true"
      }
      read = block.mixer.inProjection ?? input
    }
    if readsInputItself, cell.options.hidden != read {
      return "reads its input itself, so hidden (\(cell.options.hidden)) must be the width of that "
        + "(\(read)); set input_weights to true"
    }
    return nil
  }
}

extension LayerOptions {
  /// The options of the layer's cell, if it is an RWKV-7.
  private var rwkv: RWKV7.Options? { cell?.options as? RWKV7.Options }

  /// Returns why the layer cannot mix its values with those of a layer below, to complete "layer 1 …"; nil if
  /// it can, or does not.
  func problemOfValues(above below: ArraySlice<LayerOptions>) -> String? {
    guard let rwkv, rwkv.valueResidual else { return nil }
    if bidirectional != nil {
      return "has value_residual and reads both directions; remove bidirectional or value_residual"
    }
    if below.contains(where: { $0.rwkv?.hidden == rwkv.hidden }) { return nil }
    return "has value_residual, which reads the values of an rwkv7 layer of \(rwkv.hidden) units "
      + "below it, and there is none; set value_residual to false"
  }
}

/// A layer of a configuration that stands for several equal ones: `{cell: lstm, hidden: 200, repeat: 3}`.
struct RepeatedLayer: Decodable {
  let layer: LayerOptions
  let count: Int

  private enum CodingKeys: String, CodingKey { case count = "repeat" }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    count = try keys.decodeIfPresent(Int.self, forKey: .count) ?? 1
    guard (1...1000).contains(count) else {
      throw DecodingError.dataCorruptedError(
        forKey: .count, in: keys, debugDescription: "repeat must be from 1 to 1000")
    }
    layer = try LayerOptions(from: decoder)
  }
}

extension [RepeatedLayer] {
  /// All layers, one by one.
  var expanded: [LayerOptions] {
    flatMap { Array<LayerOptions>(repeating: $0.layer, count: $0.count) }
  }
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
