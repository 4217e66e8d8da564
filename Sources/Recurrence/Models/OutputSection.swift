/// The keys of `output` in the section `model`: the softmax of models of many symbols.
///
/// Decoding refuses a key that the kind of softmax does not read.
struct OutputSection: Codable, Equatable {
  /// The words of `kind`.
  enum Kind: String, Codable, CaseIterable { case full, adaptive, sampled }

  var kind = Kind.full
  var cutoffs: [Int]?
  var divValue = AdaptiveOptions().divValue
  var headBias = false
  var samples: Int?
  var order = OutputOptions.SymbolOrder.frequency
  var softCap: Double?

  enum CodingKeys: String, CodingKey {
    case kind, cutoffs, samples, order
    case divValue = "div_value"
    case headBias = "head_bias"
    case softCap = "soft_cap"
  }

  init() {}

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    kind = try keys.decodeIfPresent(Kind.self, forKey: .kind) ?? kind
    cutoffs = try keys.decodeIfPresent([Int].self, forKey: .cutoffs)
    divValue = try keys.decodeIfPresent(Double.self, forKey: .divValue) ?? divValue
    headBias = try keys.decodeIfPresent(Bool.self, forKey: .headBias) ?? headBias
    samples = try keys.decodeIfPresent(Int.self, forKey: .samples)
    order =
      try keys.decodeIfPresent(OutputOptions.SymbolOrder.self, forKey: .order) ?? order
    softCap = try keys.decodeIfPresent(Double.self, forKey: .softCap)
    if let (key, problem) = problem {
      throw DecodingError.dataCorruptedError(forKey: key, in: keys, debugDescription: problem)
    }
  }

  /// The first impossible value, and the key at fault; nil if there is none.
  private var problem: (key: CodingKeys, sentence: String)? {
    if let softCap, !(softCap > 0 && softCap.isFinite) {
      return (.softCap, "soft_cap is \(softCap): give a number above 0, such as 30")
    }
    if kind == .full, order != .frequency {
      return (.order, "order is for the kinds adaptive and sampled; set kind or remove it")
    }
    if kind != .sampled, samples != nil {
      return (.samples, "samples needs a sampled softmax; set kind to sampled")
    }
    if kind == .sampled {
      guard let samples else {
        return (.kind, "a sampled softmax needs a number of samples; set samples, such as 8192")
      }
      if samples < 1 { return (.samples, "samples is \(samples): give at least 1") }
    }
    return problemOfAdaptive
  }

  private var problemOfAdaptive: (key: CodingKeys, sentence: String)? {
    guard kind == .adaptive else {
      let given: [(Bool, CodingKeys)] = [
        (cutoffs != nil, .cutoffs), (divValue != AdaptiveOptions().divValue, .divValue),
        (headBias, .headBias),
      ]
      guard let key = given.first(where: { $0.0 })?.1 else { return nil }
      return (key, "\(key.rawValue) needs an adaptive softmax; set kind to adaptive")
    }
    if !(divValue >= 1 && divValue.isFinite) {
      return (.divValue, "div_value is \(divValue): give a number of at least 1")
    }
    guard let cutoffs else { return nil }
    if cutoffs.isEmpty || cutoffs[0] < 1
      || zip(cutoffs, cutoffs.dropFirst()).contains(where: { $0 >= $1 })
    {
      return (
        .cutoffs, "cutoffs is \(cutoffs): give rising numbers from 1 on, such as [2000, 10000]"
      )
    }
    return nil
  }
}

extension OutputSection {
  /// The kind of softmax with its options.
  var options: OutputOptions.Kind {
    switch kind {
    case .full: .full
    case .adaptive: .adaptive(AdaptiveOptions(cutoffs: cutoffs, divValue: divValue))
    case .sampled: .sampled(samples ?? 1)
    }
  }

  init(_ output: OutputOptions) {
    order = output.order
    softCap = output.softCap
    switch output.kind {
    case .full: break
    case .adaptive(let options):
      kind = .adaptive
      (cutoffs, divValue, headBias) = (options.cutoffs, options.divValue, output.hasBias)
    case .sampled(let count):
      (kind, samples) = (.sampled, count)
    }
  }
}
