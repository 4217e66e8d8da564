internal import Names

/// The size of a model that a preset makes: `model: {preset: hawk, width: 512, depth: 6}`.
struct PresetSize: Decodable {
  /// The width of the embedding and of every block.
  let width: Int
  /// The number of blocks.
  let depth: Int
  /// The blocks from one sLSTM to the next in `xlstm`, and 0 for none of them; nil for the preset's own.
  let slstmEvery: Int?

  private enum CodingKeys: String, CodingKey {
    case width, depth
    case slstmEvery = "slstm_every"
  }

  init(width: Int, depth: Int, slstmEvery: Int? = nil) {
    (self.width, self.depth, self.slstmEvery) = (width, depth, slstmEvery)
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    width = try keys.checkedWidth(try keys.decode(Int.self, forKey: .width), .width)
    depth = try keys.checkedWidth(
      try keys.decode(Int.self, forKey: .depth), .depth, largest: 1000)
    slstmEvery = try keys.decodeIfPresent(Int.self, forKey: .slstmEvery)
    if let slstmEvery, let problem = Self.problem(slstmEvery, depth) {
      throw DecodingError.dataCorruptedError(
        forKey: .slstmEvery, in: keys, debugDescription: problem)
    }
  }

  private static func problem(_ every: Int, _ depth: Int) -> String? {
    if every < 0 { return "slstm_every must not be negative" }
    // The second of each run is an sLSTM.
    if every > 1, depth == 1 {
      return "slstm_every: \(every) makes no slstm of a single block; set it to 0 or 1"
    }
    return nil
  }
}

/// The registry of presets, keyed by the name that configurations use. A new preset is one line here and
/// one function in Presets.swift.
let presets: [String: @Sendable (PresetSize) -> SequenceModelOptions] = [
  "hawk": hawk,
  "lstm": blockLSTM,
  "m2rnn": m2rnn,
  "mamba2": mamba2,
  "minlm": minLM,
  "rwkv7": rwkv7,
  "xlstm": xLSTM,
  "xlstm-7b": largeXLSTM,
]

extension SequenceModelOptions {
  /// Returns the model of a preset; nil if there is no preset of this name.
  package static func preset(_ name: String, width: Int, depth: Int) -> SequenceModelOptions? {
    presets[name]?(PresetSize(width: width, depth: depth))
  }

  /// The keys of a section `model` that stand for these options, if a preset makes them or differs in `tied`
  /// alone; nil if none does.
  package var presetSection: String? {
    guard let width = embedding else { return nil }
    for (name, make) in presets.sorted(by: { $0.key < $1.key }) {
      let ratios = name == PresetSection.nameWithSLSTM ? Array(0...layers.count) : []
      for every in [nil] + ratios.map(Optional.some) {
        var options = make(PresetSize(width: width, depth: layers.count, slstmEvery: every))
        let isUsual = options.tied == tied
        options.tied = tied
        guard options == self else { continue }
        return "{preset: \(name), width: \(width), depth: \(layers.count)"
          + (every.map { ", slstm_every: \($0)" } ?? "") + (isUsual ? "}" : ", tied: \(tied)}")
      }
    }
    return nil
  }

  /// Changes every layer that is a block.
  /// - Parameter change: A function of the layer's index and its block.
  package mutating func changeBlocks(_ change: (Int, inout BlockOptions) -> Void) {
    for index in layers.indices {
      guard case .block(var block) = layers[index].kind else { continue }
      change(index, &block)
      layers[index].kind = .block(block)
    }
  }
}

/// The keys of a section `model` that name a preset.
struct PresetSection: Decodable {
  /// The section that the preset stands for; nil without a preset.
  let options: SequenceModelOptions?

  /// The preset that has blocks of sLSTM, whose ratio to the others is a key.
  static let nameWithSLSTM = "xlstm"

  private enum CodingKeys: String, CodingKey {
    case preset, width, depth
    case slstmEvery = "slstm_every"
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    guard let name = try keys.decodeIfPresent(String.self, forKey: .preset) else {
      for key in [CodingKeys.width, .depth, .slstmEvery] where keys.contains(key) {
        if try !keys.decodeNil(forKey: key) {
          throw DecodingError.dataCorruptedError(
            forKey: key, in: keys,
            debugDescription: "\(key.rawValue) is that of a preset; set model.preset, or remove it")
        }
      }
      options = nil
      return
    }
    guard let make = presets[name] else {
      throw keys.unknownName(name, of: "preset", among: presets.keys, forKey: .preset)
    }
    if name != Self.nameWithSLSTM, try keys.decodeIfPresent(Int.self, forKey: .slstmEvery) != nil {
      throw DecodingError.dataCorruptedError(
        forKey: .slstmEvery, in: keys,
        debugDescription: "slstm_every is that of the preset \(Self.nameWithSLSTM); remove it")
    }
    options = make(try PresetSize(from: decoder))
  }
}
