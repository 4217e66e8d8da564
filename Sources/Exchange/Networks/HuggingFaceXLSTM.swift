public import Formats
public import Recurrence

/// `xLSTMForCausalLM` of transformers, the network of xLSTM 7B.
///
/// The package xlstm has the same names in its `xLSTMLarge`, except that it calls the embedding
/// `embedding.weight`.
public enum HuggingFaceXLSTM: ForeignNetwork {
  public static let name = "xlstm"
  public static let container = ForeignContainer.huggingface
  public static let cell = "matrix-lstm"

  /// The ε of all norms and of the read memory.
  private static let epsilon = 1e-6
  /// The cap of a model without one, which transformers must have: c tanh(a / c) is a to the last digits.
  private static let noCap = 1e20

  public static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration {
    let (options, block, width) = (model.options, model.block(0), model.width)
    guard let cell = block.mixer.options as? MatrixLSTM.Options, let mlp = block.mlp else {
      throw Obstacle("layer 0 has no mlp, and an xlstm has one in every block")
    }
    let keys = cell.keyWidth ?? cell.hidden
    let inner = mlp.width(of: width)
    // transformers rounds up to multiples of 64 the widths of the states that it carries.
    let isCarried = keys.isMultiple(of: 64) && cell.hidden.isMultiple(of: 64)
    return ForeignConfiguration(
      [
        "architectures": .array(["xLSTMForCausalLM"]),
        "model_type": "xlstm",
        "vocab_size": .integer(model.vocabulary),
        "hidden_size": .integer(width),
        "embedding_dim": .integer(width),
        "num_hidden_layers": .integer(model.depth),
        "num_blocks": .integer(model.depth),
        "num_heads": .integer(cell.heads),
        "qk_dim_factor": .float(factor(keys, of: width)),
        "v_dim_factor": .float(factor(cell.hidden, of: width)),
        "ffn_proj_factor": .float(factor(inner, of: width)),
        "ffn_round_up_to_multiple_of": .integer(1),
        "gate_soft_cap": .float(cell.gateCap > 0 ? cell.gateCap : noCap),
        "output_logit_soft_cap": .float(options.output.softCap ?? noCap),
        "norm_eps": .number(block.norm.eps),
        "eps": .number(epsilon),
        "use_bias": false,
        "add_out_norm": true,
        "weight_mode": "single",
        "mode": "inference",
        "chunkwise_kernel": "chunkwise--native_autograd",
        "sequence_kernel": "native_sequence__native",
        "step_kernel": "native",
        "autocast_kernel_dtype": "float32",
        "inference_state_dtype": "float32",
        "tie_word_embeddings": false,
        "use_cache": .bool(isCarried),
      ], isTied: options.tied)
  }

  /// Returns a number whose product with a width, rounded down, is the given one.
  private static func factor(_ count: Int, of width: Int) -> Double {
    let factor = Double(count) / Double(width)
    return Int(factor * Double(width)) == count ? factor : factor.nextUp
  }

  public static func configuration(
    in content: ForeignContent
  ) throws(FileError) -> ForeignConfiguration {
    ForeignConfiguration(
      of: content, isTied: content.areEqual("backbone.embeddings.weight", "lm_head.weight"))
  }

  public static func model(
    of configuration: ForeignConfiguration
  ) throws(FileError) -> ForeignModel {
    try configuration.require("use_bias", false)
    try configuration.require("add_out_norm", true)
    try configuration.require("weight_mode", "single")
    try configuration.require("norm_eps", .number(epsilon))
    try configuration.require("eps", .number(epsilon))
    let (width, depth) = try configuration.size(width: "hidden_size", depth: "num_hidden_layers")
    let heads = try configuration.count("num_heads", default: 8)
    func product(_ key: String, _ fallback: Double) throws(FileError) -> Double {
      let product = Double(width) * (try configuration.number(key, default: fallback))
      guard product >= 1, product <= Double(1 << 24) else {
        throw configuration.refuse("has a \(key) that makes a width of \(product)")
      }
      return product
    }
    let keys = Int(try product("qk_dim_factor", 0.5))
    let hidden = Int(try product("v_dim_factor", 1))
    guard keys.isMultiple(of: heads), hidden.isMultiple(of: heads) else {
      throw configuration.refuse("has \(heads) heads for \(keys) keys and \(hidden) values")
    }
    let multiple = try configuration.count("ffn_round_up_to_multiple_of", default: 64)
    let exact = try product("ffn_proj_factor", 2.667)
    let inner =
      Int(((exact + Double(multiple - 1)) / Double(multiple)).rounded(.down)) * multiple
    let gateCap = try cap("gate_soft_cap", 15, configuration)

    var options = SequenceModelOptions.preset("xlstm-7b", width: width, depth: depth)!
    options.changeBlocks { _, block in
      block.mixer.options = MatrixLSTM.Options(
        hidden: hidden, heads: heads, keyWidth: keys, gateCap: gateCap ?? 0, zeroGates: true)
      block.mlp?.factor = Double(inner) / Double(width)
      block.mlp?.round = 1
    }
    options.output.softCap = try cap("output_logit_soft_cap", 30, configuration)
    options.tied = configuration.isTied
    return ForeignModel(options, vocabulary: try configuration.count("vocab_size"))
  }

  /// Returns a cap; nil for one that no number reaches. One that is absent is that of the published model.
  private static func cap(
    _ key: String, _ fallback: Double, _ configuration: ForeignConfiguration
  ) throws(FileError) -> Double? {
    let cap = try configuration.float(key, default: fallback)
    return cap < noCap ? cap : nil
  }

  public static func rules(for model: ForeignModel) -> [TensorRule] {
    let block = model.block(0)
    guard let cell = block.mixer.options as? MatrixLSTM.Options else {
      preconditionFailure("blocks of another cell than matrix-lstm")
    }
    let (keys, hidden) = (cell.keyWidth ?? cell.hidden, cell.hidden)
    let inner = block.mlp?.width(of: model.width) ?? 1
    var rules = [
      TensorRule("backbone.embeddings.weight", "encoder.weight"),
      TensorRule("backbone.out_norm.weight", "final_norm.weight"),
      model.options.tied
        ? TensorRule("lm_head.weight", "encoder.weight", .repeated(isWritten: true))
        : TensorRule("lm_head.weight", "decoder.weight"),
    ]
    for k in 0..<model.depth {
      let (there, here) = ("backbone.blocks.\(k).", "layers.\(k).")
      let layer = there + "mlstm_layer."
      rules += [
        TensorRule(there + "norm_mlstm.weight", here + "norm.weight"),
        TensorRule(there + "norm_ffn.weight", here + "mlp_norm.weight"),
        TensorRule(layer + "multihead_norm.weight", here + "mixer.norm_weight_l0"),
        TensorRule(layer + "out_proj.weight", here + "mixer.out_proj.weight"),
        TensorRule(there + "ffn.proj_down.weight", here + "mlp.down_proj.weight"),
      ]
      let up = here + "mlp.gate_up_proj.weight"
      rules += [
        TensorRule(there + "ffn.proj_up_gate.weight", .rows(0..<inner, of: up)),
        TensorRule(there + "ffn.proj_up.weight", .rows(inner..<2 * inner, of: up)),
      ]
      var row = 0
      for (name, count) in [
        ("q", keys), ("k", keys), ("v", hidden), ("ogate_preact", hidden),
        ("igate_preact", cell.heads), ("fgate_preact", cell.heads),
      ] {
        rules.append(
          TensorRule(
            layer + name + ".weight", .rows(row..<row + count, of: here + "mixer.weight_ih_l0")))
        row += count
      }
      for (place, name) in ["igate_preact", "fgate_preact"].enumerated() {
        let rows = place * cell.heads..<(place + 1) * cell.heads
        rules.append(
          TensorRule(layer + name + ".bias", .rows(rows, of: here + "mixer.bias_gates_l0")))
      }
    }
    return rules
  }

  /// Returns the options with the width of keys as a number.
  public static func canonical(_ options: SequenceModelOptions) -> SequenceModelOptions {
    var options = options
    options.changeBlocks { _, block in
      guard var cell = block.mixer.options as? MatrixLSTM.Options else { return }
      cell.keyWidth = cell.keyWidth ?? cell.hidden
      cell.zeroGates = true
      block.mixer.options = cell
    }
    return options
  }

  /// Models of one head and several, of keys narrower than values and not, with caps and without, tied and
  /// not.
  public static var samples: [ForeignModel] {
    func sample(
      width: Int, depth: Int, hidden: Int, heads: Int, keys: Int, inner: Int, caps: Bool,
      tied: Bool
    ) -> ForeignModel {
      var options = SequenceModelOptions.preset("xlstm-7b", width: width, depth: depth)!
      options.changeBlocks { _, block in
        block.mixer.options = MatrixLSTM.Options(
          hidden: hidden, heads: heads, keyWidth: keys, gateCap: caps ? 15 : 0, zeroGates: true)
        block.mlp?.factor = Double(inner) / Double(width)
        block.mlp?.round = 1
      }
      options.tied = tied
      options.output.softCap = caps ? 30 : nil
      return ForeignModel(options, vocabulary: 7)
    }
    return [
      sample(
        width: 7, depth: 2, hidden: 6, heads: 3, keys: 3, inner: 11, caps: true, tied: false),
      sample(
        width: 10, depth: 3, hidden: 10, heads: 2, keys: 4, inner: 27, caps: false, tied: true),
      sample(
        width: 64, depth: 1, hidden: 64, heads: 1, keys: 64, inner: 192, caps: true, tied: false),
    ]
  }
}
