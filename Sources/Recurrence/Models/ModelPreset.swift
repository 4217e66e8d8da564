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
/// one function.
let presets: [String: @Sendable (PresetSize) -> SequenceModelOptions] = [
  "hawk": hawk, "m2rnn": m2rnn,
]

/// Hawk: residual blocks of a gated RG-LRU behind a convolution, and a GeGLU of three times the width (De
/// 2024), with the first weights of the reference: N(0, 1/in), N(0, 2/(depth · in)) for the products that
/// end in the residual stream, biases zero, and an output layer tied to the embedding.
///
/// The gates' matrices have blocks of at most 256 units.
@Sendable private func hawk(_ size: PresetSize) -> SequenceModelOptions {
  let heads = (1...size.width).first {
    size.width.isMultiple(of: $0) && size.width / $0 <= 256
  }!
  let block = BlockOptions(
    mixer: MixerOptions(
      cell: "rg-lru", RGLRU.Options(hidden: size.width, heads: heads, inputWeights: false),
      inProjection: size.width, convolution: ConvolutionOptions(kernel: 4), gate: .geluTanh,
      outProjection: true),
    mlp: MLPOptions(.gegluTanh, factor: 3), outputVariance: 2 / Double(size.depth))
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    tied: true, initializer: .lecun, output: OutputOptions(bias: .none), finalNorm: NormOptions())
}

/// The M²RNN: residual blocks of the cell behind a convolution over four steps, and a SwiGLU of 8/3 times the
/// width (Mishra 2026), with the first weights that the reference calls `fan_in`: N(0, 1/in), and N(0, 1/(2 ·
/// depth · in)) for the products that end in the residual stream, without biases, and an output layer tied to
/// the embedding, as the reference has it unless told otherwise.
///
/// A head has 64 numbers of q, k and v, or the largest divisor of the width below.
@Sendable private func m2rnn(_ size: PresetSize) -> SequenceModelOptions {
  let heads = (1...size.width).first {
    size.width.isMultiple(of: $0) && size.width / $0 <= 64
  }!
  let norm = NormOptions(.rmsnorm, eps: 1e-5)
  let block = BlockOptions(
    norm: norm,
    mixer: MixerOptions(
      cell: "m2rnn", M2RNN.Options(hidden: size.width, heads: heads, kernel: 4),
      outProjection: true, bias: false),
    mlp: MLPOptions(.swiglu, bias: false), outputVariance: 1 / (2 * Double(size.depth)))
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    tied: true, initializer: .lecun, output: OutputOptions(bias: .none), finalNorm: norm)
}

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
