/// The size of a model that a preset makes: `model: {preset: hawk, width: 512, depth: 6}`.
struct PresetSize: Decodable {
  /// The width of the embedding and of every block.
  let width: Int
  /// The number of blocks.
  let depth: Int

  private enum CodingKeys: String, CodingKey { case width, depth }

  init(width: Int, depth: Int) {
    (self.width, self.depth) = (width, depth)
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    width = try keys.checkedWidth(try keys.decode(Int.self, forKey: .width), .width)
    depth = try keys.checkedWidth(
      try keys.decode(Int.self, forKey: .depth), .depth, largest: 1000)
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
  "xlstm-7b": largeXLSTM,
]

/// The keys of a section `model` that name a preset.
struct PresetSection: Decodable {
  /// The section that the preset stands for; nil without a preset.
  let options: SequenceModelOptions?

  private enum CodingKeys: String, CodingKey { case preset, width, depth }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    guard let name = try keys.decodeIfPresent(String.self, forKey: .preset) else {
      for key in [CodingKeys.width, .depth] where keys.contains(key) {
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
      throw DecodingError.dataCorruptedError(
        forKey: .preset, in: keys,
        debugDescription: "no preset is called \(name); there are "
          + presets.keys.sorted().joined(separator: ", "))
    }
    options = make(try PresetSize(from: decoder))
  }
}
