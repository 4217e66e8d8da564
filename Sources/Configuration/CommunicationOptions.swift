public import LinearAlgebra
internal import Names

/// The section `communication`: the way in which ranks exchange gradients.
public struct CommunicationOptions: Codable, Equatable, Sendable {
  /// The time at which gradients are sent: `overlap`.
  public enum Overlap: Equatable, Sendable {
    /// During the backward pass if the ranks are on several hosts.
    case auto
    /// During the backward pass, each layer's as soon as it is complete.
    case on
    /// After the backward pass.
    case off
  }

  /// The memory of the ranks of a host: `node`.
  public enum Node: String, Codable, CaseIterable, Sendable {
    /// Shared where the ranks can and it is faster.
    case auto
    /// One copy of the weights and moments on each host, of which each rank updates a slice.
    case shared
    /// Each rank has its own copy of all.
    case separate
  }

  public var overlap = Overlap.auto
  /// The memory of the ranks of a host.
  public var node = Node.auto
  /// True if each rank keeps a slice of the optimizer's moments only (ZeRO stage 1; Rajbhandari et al. 2020).
  public var shardOptimizer = false
  /// The number format in which gradients travel; sums are computed in single precision.
  public var wire = Precision.float32
  /// The lossy compression of gradients, with error feedback; nil for none.
  public var compression: CompressionOptions?
  /// The options of outer steps, between which ranks train alone; nil for a sum at every step.
  public var outer: OuterOptions?
  /// The number of parts of each batch, over all ranks, whose gradients are added in one binary tree, so that
  /// 1, 2, 4 … ranks get the same bits; nil for the order of ranks.
  public var reproducible: Int?
  /// The number of steps between two checks that all ranks have the same weights; nil for a check before
  /// each evaluation and each checkpoint only.
  public var checkEvery: Int?

  /// The number of parts of `reproducible: true`.
  package static let reproducibleParts = 8

  enum CodingKeys: String, CodingKey {
    case overlap, node, wire, compression, outer, reproducible
    case shardOptimizer = "shard_optimizer"
    case checkEvery = "check_every"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    checkEvery = try container.decode(.checkEvery, from: 1...largestCount)
    overlap = try container.decode(.overlap, default: overlap)
    node = try container.decode(.node, default: node)
    shardOptimizer = try container.decode(.shardOptimizer, default: shardOptimizer)
    wire = try container.decode(.wire, default: wire)
    compression = try container.decodeIfPresent(CompressionOptions.self, forKey: .compression)
    outer = try container.decodeIfPresent(OuterOptions.self, forKey: .outer)
    reproducible = try container.decodeParts(.reproducible)
  }
}

extension KeyedDecodingContainer<CommunicationOptions.CodingKeys> {
  /// Decodes true, false or a number of parts.
  fileprivate func decodeParts(_ key: Key) throws -> Int? {
    guard contains(key), try !decodeNil(forKey: key) else { return nil }
    if let isOn = try? decode(Bool.self, forKey: key) {
      return isOn ? CommunicationOptions.reproducibleParts : nil
    }
    let parts = try? decode(Int.self, forKey: key)
    guard let parts, (2...4096).contains(parts), parts.nonzeroBitCount == 1 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "reproducible is true, false or a number of parts: 2, 4, 8 … 4096")
    }
    return parts
  }
}

extension CommunicationOptions {
  /// True if gradients are summed whole, at every step and in the order of ranks.
  package var sumsWholeGradientsInOrder: Bool {
    outer == nil && compression == nil && reproducible == nil
  }

  /// Returns true if the ranks of a host share memory.
  /// - Parameters:
  ///   - least: The fewest ranks of any host.
  ///   - most: The most ranks of any host.
  ///   - ranks: The world size.
  package func sharesMemory(least: Int, most: Int, ranks: Int) -> Bool {
    guard sumsWholeGradientsInOrder else { return false }
    switch node {
    case .separate: return false
    case .shared: return most > 1
    // On one host nothing travels that could be rounded: whoever asks for rounded gradients gets them.
    case .auto: return least > 1 && !(wire == .bfloat16 && most == ranks)
    }
  }

  /// Returns the memory that the exchange needs on each rank, in vectors as long as the weights.
  /// - Parameters:
  ///   - ranks: The world size.
  ///   - perHost: The ranks of a host.
  package func vectors(ranks: Int, perHost: Int) -> Double {
    let isSpread = perHost < ranks
    if let outer {
      // The start of the round, the change, the mean, the velocity; the messages of two of them.
      return 3 + (outer.rule == .average ? 0 : 1) + (ranks > 1 ? 2 : 0)
    }
    guard ranks > 1 else { return 0 }
    switch compression {
    case .powerSGD: return 2
    case .topK(let options): return options.momentum > 0 ? 2 : 1
    case .oneBit: return 1
    case nil:
      // The messages of a rank's slice, or of everything.
      if sharesMemory(least: perHost, most: perHost, ranks: ranks) {
        return isSpread ? 1 / Double(perHost) : 0
      }
      let isLayerwise =
        wire == .bfloat16 || overlap == .on || overlap == .auto && isSpread || shardOptimizer
      return isLayerwise ? 1 : 0
    }
  }

  /// Returns the share of the weights, and that of the moments, that a rank has memory for.
  /// - Parameters:
  ///   - ranks: The world size.
  ///   - perHost: The ranks of a host.
  package func shares(ranks: Int, perHost: Int) -> (weights: Double, moments: Double) {
    let isShared = sharesMemory(least: perHost, most: perHost, ranks: ranks)
    let ofHost = isShared ? 1 / Double(perHost) : 1
    return (ofHost, shardOptimizer && sumsWholeGradientsInOrder ? 1 / Double(ranks) : ofHost)
  }
}

extension CommunicationOptions.Overlap: Codable {
  public init(from decoder: any Decoder) throws {
    let single = try decoder.singleValueContainer()
    if let isOn = try? single.decode(Bool.self) {
      self = isOn ? .on : .off
    } else if (try? single.decode(String.self)) == "auto" {
      self = .auto
    } else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: single.codingPath, debugDescription: "overlap is auto, true or false",
          underlyingError: UnknownName("", of: "overlap", among: ["auto"])))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .auto: try container.encode("auto")
    case .on: try container.encode(true)
    case .off: try container.encode(false)
    }
  }
}

/// A lossy compression of gradients: `compression`. The part of a gradient that was not sent is kept
/// and added to the next one (error feedback).
public enum CompressionOptions: Equatable, Sendable {
  /// Low-rank factors of each matrix (PowerSGD; Vogels, Karimireddy & Jaggi 2019).
  case powerSGD(PowerSGDOptions)
  /// The largest numbers alone (deep gradient compression; Lin et al. 2018).
  case topK(TopKOptions)
  /// The sign of each number and two means per row (Seide et al. 2014).
  case oneBit(OneBitOptions)
}

/// The options of PowerSGD.
public struct PowerSGDOptions: Codable, Equatable, Sendable {
  /// The rank r of the factors.
  public var rank = 4
  /// The number of first steps whose gradients are sent whole.
  public var start = 1000

  enum CodingKeys: String, CodingKey {
    case rank, start
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    rank = try container.decode(.rank, default: rank, from: 1...64)
    start = try container.decode(.start, default: start, from: 0...largestCount)
  }
}

/// The options of deep gradient compression.
public struct TopKOptions: Codable, Equatable, Sendable {
  /// The share of the numbers of each matrix that is sent once the warm-up is over.
  public var share = 0.001
  /// The momentum m of the correction u ← m u + g; the optimizer then needs none of its own.
  public var momentum = 0.0
  /// The number of steps over which the share falls from 1/4 to `share`, by a factor at a time.
  public var warmup = 1000

  enum CodingKeys: String, CodingKey {
    case share, momentum, warmup
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    share = try container.decode(.share, default: share)
    momentum = try container.decode(.momentum, default: momentum)
    warmup = try container.decode(.warmup, default: warmup, from: 0...largestCount)
    try container.require(
      share > 0 && share <= 0.25, .share, "share must be more than 0 and at most 0.25")
    try container.require(
      (0..<1).contains(momentum), .momentum, "momentum must be at least 0 and below 1")
  }
}

/// The options of one-bit gradients.
public struct OneBitOptions: Codable, Equatable, Sendable {
  /// The number of first steps whose gradients are sent whole.
  public var start = 1000

  enum CodingKeys: String, CodingKey {
    case start
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    start = try container.decode(.start, default: start, from: 0...largestCount)
  }
}

extension CompressionOptions: Codable {
  private enum CodingKeys: String, CodingKey {
    case powerSGD = "powersgd"
    case topK = "top_k"
    case oneBit = "one_bit"
  }

  public init(from decoder: any Decoder) throws {
    if let word = try? decoder.singleValueContainer().decode(String.self) {
      switch CodingKeys(stringValue: word) {
      case .powerSGD: self = .powerSGD(PowerSGDOptions())
      case .topK: self = .topK(TopKOptions())
      case .oneBit: self = .oneBit(OneBitOptions())
      case nil:
        throw DecodingError.unknownName(
          UnknownName(
            word, of: "compression", among: ["powersgd", "top_k", "one_bit"], or: "or remove it"),
          at: decoder.codingPath)
      }
      return
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let powerSGD = try container.decodeIfPresent(PowerSGDOptions.self, forKey: .powerSGD)
    let topK = try container.decodeIfPresent(TopKOptions.self, forKey: .topK)
    let oneBit = try container.decodeIfPresent(OneBitOptions.self, forKey: .oneBit)
    switch (powerSGD, topK, oneBit) {
    case (let options?, nil, nil): self = .powerSGD(options)
    case (nil, let options?, nil): self = .topK(options)
    case (nil, nil, let options?): self = .oneBit(options)
    default:
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "compression takes one of powersgd, top_k and one_bit; choose one"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .powerSGD(let options): try container.encode(options, forKey: .powerSGD)
    case .topK(let options): try container.encode(options, forKey: .topK)
    case .oneBit(let options): try container.encode(options, forKey: .oneBit)
    }
  }
}

/// The options of outer steps: `outer`. Each rank trains alone for a round of steps; then an outer step
/// moves the weights that all ranks began the round with, by the mean of the ranks' changes.
public struct OuterOptions: Codable, Equatable, Sendable {
  /// The outer step, of weights θ with the mean change Δ of a round.
  public enum Rule: String, Codable, CaseIterable, Sendable {
    /// θ ← θ + Δ: the ranks' weights are averaged (local SGD).
    case average
    /// D ← η D + ζ Δ, θ ← θ + D (blockwise model-update filtering; Chen & Huo 2016).
    case blockMomentum = "block_momentum"
    /// v ← η v − Δ, θ ← θ − ζ (η v − Δ): Nesterov's momentum (DiLoCo; Douillard et al. 2023).
    case nesterov
  }

  /// The number of steps of a round.
  public var every = 50
  public var rule = Rule.average
  /// The factor ζ on the mean change; nil for that of the rule.
  public var givenRate: Double?
  /// The momentum η; nil for that of the rule.
  public var givenMomentum: Double?
  /// The number of steps of the next round during which the changes travel.
  public var overlap = 0
  /// The number of pieces of the weights whose outer steps are spread over a round.
  public var fragments = 1

  enum CodingKeys: String, CodingKey {
    case every, rule, overlap, fragments
    case givenRate = "rate"
    case givenMomentum = "momentum"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    every = try container.decode(.every, default: every, from: 1...largestCount)
    rule = try container.decode(.rule, default: rule)
    givenRate = try container.decodeIfPresent(Double.self, forKey: .givenRate)
    givenMomentum = try container.decodeIfPresent(Double.self, forKey: .givenMomentum)
    overlap = try container.decode(.overlap, default: overlap, from: 0...largestCount)
    fragments = try container.decode(.fragments, default: fragments, from: 1...largestCount)
    try container.require(
      fragments <= every, .fragments,
      "fragments must be at most the \(every) steps of a round (every)")
    try container.require(
      overlap < every, .overlap, "overlap must be less than the \(every) steps of a round (every)")
    try container.require(
      (givenRate ?? 1) > 0 && (givenRate ?? 1) <= 10, .givenRate,
      "rate must be more than 0 and at most 10")
    try container.require(
      (0..<1).contains(givenMomentum ?? 0), .givenMomentum,
      "momentum must be at least 0 and below 1")
    try container.require(
      rule != .average || givenRate == nil && givenMomentum == nil,
      givenRate == nil ? .givenMomentum : .givenRate,
      "an average has no rate and no momentum: remove both, or set rule to block_momentum or nesterov"
    )
  }

  /// The factor ζ on the mean change.
  public var rate: Double { givenRate ?? (rule == .nesterov ? 0.7 : 1) }

  /// Returns the momentum η: 0.9 of Nesterov's rule, 1 − 1/N of block momentum on N ranks.
  public func momentum(ranks: Int) -> Double {
    switch rule {
    case .average: 0
    case .blockMomentum: givenMomentum ?? (1 - 1 / Double(ranks))
    case .nesterov: givenMomentum ?? 0.9
    }
  }
}
