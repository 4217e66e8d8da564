public import Formats
internal import Recurrence

/// `rwkv7` of llama.cpp.
///
/// Its loop over a head takes 32 numbers at a time, or 64 with AVX-512, and leaves out what remains: heads of other
/// widths are computed wrongly there, without an error.
public enum LlamaRWKV7: ForeignNetwork {
  public static let name = "rwkv7"
  public static let container = ForeignContainer.gguf
  public static let cell = "rwkv7"

  /// The widths of heads that llama.cpp computes on every processor are multiples of this number.
  private static let headStep = 64

  public static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration {
    let own = try RWKV7Settings(model)
    guard (own.width / own.heads).isMultiple(of: headStep) else {
      throw Obstacle(
        "a head has \(own.width / own.heads) units, and llama.cpp computes only heads of a multiple "
          + "of \(headStep) rightly")
    }
    return ForeignConfiguration(
      [
        "general.architecture": "rwkv7",
        // A recurrence has no limit; this is the number of the converter of llama.cpp.
        "rwkv7.context_length": 1_048_576,
        "rwkv7.embedding_length": .integer(own.width),
        "rwkv7.block_count": .integer(own.depth),
        "rwkv7.feed_forward_length": .integer(own.inner),
        "rwkv7.attention.layer_norm_epsilon": .number(own.epsilon),
        "rwkv7.wkv.head_size": .integer(own.width / own.heads),
        "rwkv7.attention.decay_lora_rank": .integer(own.decayRank),
        "rwkv7.attention.iclr_lora_rank": .integer(own.rateRank),
        "rwkv7.attention.value_residual_mix_lora_rank": .integer(own.valueRank),
        "rwkv7.attention.gate_lora_rank": .integer(own.gateRank),
        // Required by llama.cpp, and not used.
        "rwkv7.attention.head_count": 0,
        "rwkv7.vocab_size": .integer(own.vocabulary),
      ], isTied: own.isTied)
  }

  public static func configuration(
    in content: ForeignContent
  ) throws(FileError) -> ForeignConfiguration {
    var values = content.configuration
    // Files with the symbols of a tokenizer need not say how many there are.
    values["rwkv7.vocab_size"] = .integer(try content.shape("token_embd.weight", dimensions: 2)[0])
    return ForeignConfiguration(
      of: content, values, isTied: content.areEqual("token_embd.weight", "output.weight"))
  }

  public static func model(
    of configuration: ForeignConfiguration
  ) throws(FileError) -> ForeignModel {
    func count(_ key: String) throws(FileError) -> Int { try configuration.count("rwkv7." + key) }
    let (width, depth) = try configuration.size(
      width: "rwkv7.embedding_length", depth: "rwkv7.block_count")
    let size = try count("wkv.head_size")
    guard width.isMultiple(of: size) else {
      throw configuration.refuse("has heads of \(size) for a width of \(width)")
    }
    try configuration.require("rwkv7.token_shift_count", 2)
    let own = RWKV7Settings(
      width: width, depth: depth, vocabulary: try count("vocab_size"), heads: width / size,
      inner: try count("feed_forward_length"),
      decayRank: try count("attention.decay_lora_rank"),
      rateRank: try count("attention.iclr_lora_rank"),
      valueRank: try count("attention.value_residual_mix_lora_rank"),
      gateRank: try count("attention.gate_lora_rank"),
      epsilon: try configuration.number("rwkv7.attention.layer_norm_epsilon"),
      isTied: configuration.isTied)
    guard own.epsilon < 1 else { throw configuration.refuse("has an epsilon of \(own.epsilon)") }
    return own.model
  }

  public static func rules(for model: ForeignModel) -> [TensorRule] {
    let own = RWKV7Settings(of: model)
    let n = own.width
    var rules = [
      TensorRule("token_embd.weight", "encoder.weight"), own.output("output.weight"),
    ]
    rules += RWKV7Settings.norm("token_embd_norm", "embedding_norm")
    rules += RWKV7Settings.norm("output_norm", "final_norm")
    for k in 0..<own.depth {
      let (here, there) = (RWKV7Settings.Names(k), "blk.\(k).")
      let (time, channel) = (there + "time_mix_", there + "channel_mix_")
      func add(_ name: String, _ form: TensorForm, _ presence: TensorRule.Presence = .required) {
        rules.append(TensorRule(name + ".weight", form, presence))
      }
      rules += RWKV7Settings.norm(there + "attn_norm", here.block + "norm")
      rules += RWKV7Settings.norm(there + "attn_norm_2", here.block + "mlp_norm")
      let mixes = ["r", "w", "k", "v", "a", "g"].map { letter -> TensorForm in
        .reshaped([1, 1, 1, n], here.cell("x_" + letter))
      }
      add(time + "lerp_fused", .joined(mixes))
      for name in ["w0", "w1", "w2", "a0", "a1", "a2", "g1", "g2", "k_k", "k_a", "r_k"] {
        add(time + name, here.cell(name))
      }
      // The first block mixes no values, and llama.cpp expects tensors of the shapes of the rate's.
      for side in ["0", "1", "2"] {
        k == 0
          ? add(time + "v" + side, here.cell("a" + side), .unused)
          : add(time + "v" + side, here.cell("v" + side))
      }
      for name in ["receptance", "key", "value"] { add(time + name, here.cell("weight_" + name)) }
      add(time + "output", here.output)
      for part in ["weight", "bias"] {
        rules.append(TensorRule(time + "ln." + part, here.cell("ln_x_" + part)))
      }
      add(channel + "lerp_k", here.shift)
      add(channel + "key", here.up)
      add(channel + "value", here.down)
    }
    return rules
  }

  public static var samples: [ForeignModel] {
    [
      RWKV7Settings(
        width: 128, depth: 3, vocabulary: 11, heads: 2, inner: 9, decayRank: 2, rateRank: 3,
        valueRank: 1, gateRank: 4),
      RWKV7Settings(
        width: 64, depth: 2, vocabulary: 7, heads: 1, inner: 256, decayRank: 32, rateRank: 32,
        valueRank: 32, gateRank: 32, isTied: true),
      RWKV7Settings(
        width: 64, depth: 1, vocabulary: 5, heads: 1, inner: 64, decayRank: 5, rateRank: 2,
        valueRank: 32, gateRank: 3),
    ].map(\.model)
  }
}
