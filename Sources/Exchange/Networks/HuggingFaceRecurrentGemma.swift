public import Formats
public import Recurrence

/// `RecurrentGemmaForCausalLM` of transformers with recurrent blocks alone, which is Hawk.
///
/// transformers multiplies the embedding with √width, rounded to bfloat16, and caps the logits. A
/// model with that `embedding_scale` has its matrices there as they are. A tied model without a scale
/// has E / √width for the embedding and E for the output layer. A model without a cap has one that no
/// logit reaches.
public enum HuggingFaceRecurrentGemma: ForeignNetwork {
  public static let name = "recurrent_gemma"
  public static let container = ForeignContainer.huggingface
  public static let cell = "rg-lru"

  /// The cap of a model without one: c tanh(l / c) is l to the last digits.
  private static let noCap = 1e20

  public static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration {
    let (options, block) = (model.options, model.block(0))
    guard let cell = block.mixer.options as? RGLRU.Options, let mlp = block.mlp else {
      throw Obstacle("layer 0 has no mlp, and a recurrent_gemma has one in every block")
    }
    let scale = embeddingScale(model.width)
    guard options.embeddingScale.map({ $0.isScale(scale, of: model.width) }) ?? options.tied else {
      throw Obstacle(
        "model.embedding_scale is not \(scale), with which transformers multiplies an embedding of "
          + "\(model.width), and a model without a scale is tied there")
    }
    guard cell.hidden == model.width else {
      throw Obstacle(
        "the mixers have \(cell.hidden) units and the blocks \(model.width), which transformers "
          + "does not tell apart while it generates")
    }
    return ForeignConfiguration(
      [
        "architectures": .array(["RecurrentGemmaForCausalLM"]),
        "model_type": "recurrent_gemma",
        "vocab_size": .integer(model.vocabulary),
        "hidden_size": .integer(model.width),
        "lru_width": .integer(cell.hidden),
        "num_hidden_layers": .integer(model.depth),
        "num_attention_heads": .integer(cell.heads),
        "num_key_value_heads": .integer(cell.heads),
        "intermediate_size": .integer(2 * mlp.width(of: model.width)),
        "conv1d_width": .integer(block.mixer.convolution?.kernel ?? 1),
        "rms_norm_eps": .float(block.norm.eps),
        "logits_soft_cap": .float(options.output.softCap ?? noCap),
        "hidden_activation": "gelu_pytorch_tanh",
        "block_types": .array(["recurrent"]),
        "tie_word_embeddings": .bool(options.tied && options.embeddingScale != nil),
        // The cache of transformers asks an attention for the number of steps, and there is none.
        "use_cache": false,
      ], isTied: options.tied)
  }

  public static func configuration(
    in content: ForeignContent
  ) throws(FileError) -> ForeignConfiguration {
    var configuration = ForeignConfiguration(of: content)
    configuration.isTied = try configuration.flag("tie_word_embeddings", default: true)
    let width = try configuration.count("hidden_size")
    if !configuration.isTied, let table = content["model.embed_tokens.weight"]?.floats,
      let head = content["lm_head.weight"]?.floats
    {
      let scale = Float(embeddingScale(width))
      configuration.isTied = table == head.map { $0 / scale }
    }
    return configuration
  }

  public static func model(
    of configuration: ForeignConfiguration
  ) throws(FileError) -> ForeignModel {
    try configuration.require("hidden_activation", "gelu_pytorch_tanh")
    guard case .array(let types)? = configuration.values["block_types"],
      types.allSatisfy({ $0 == "recurrent" })
    else {
      throw configuration.refuse("has blocks of attention, which models here lack")
    }
    let (width, depth) = try configuration.size(width: "hidden_size", depth: "num_hidden_layers")
    let hidden = try configuration.count("lru_width", default: width)
    let heads = try configuration.count("num_attention_heads", default: 10)
    let inner = try configuration.count("intermediate_size")
    guard hidden == width else {
      throw configuration.refuse("has \(hidden) for lru_width and \(width) for hidden_size")
    }
    guard width.isMultiple(of: heads) else {
      throw configuration.refuse("has \(heads) heads for \(width) units")
    }
    guard inner.isMultiple(of: 2) else {
      throw configuration.refuse("has an odd intermediate_size, \(inner)")
    }
    let norm = NormOptions(eps: try configuration.number("rms_norm_eps", default: 1e-6))
    let kernel = try configuration.count("conv1d_width", default: 4, most: 1 << 12)
    let cap = try configuration.float("logits_soft_cap", default: 30)
    let isShared = try configuration.flag("tie_word_embeddings", default: true)

    var options = SequenceModelOptions.preset("hawk", width: width, depth: depth)!
    options.changeBlocks { _, block in
      block.norm = norm
      block.mixer.options = RGLRU.Options(hidden: width, heads: heads, inputWeights: false)
      block.mixer.convolution = ConvolutionOptions(kernel: kernel)
      block.mlp?.factor = Double(inner / 2) / Double(width)
      block.mlp?.round = 1
    }
    options.finalNorm = norm
    options.output.softCap = cap < noCap ? cap : nil
    options.tied = isShared || configuration.isTied
    if isShared || !configuration.isTied {
      options.embeddingScale = .factor(embeddingScale(width))
    }
    return ForeignModel(options, vocabulary: try configuration.count("vocab_size"))
  }

  public static func rules(for model: ForeignModel) -> [TensorRule] {
    let block = model.block(0)
    let heads = (block.mixer.options as? RGLRU.Options)?.heads ?? 1
    let kernel = block.mixer.convolution?.kernel ?? 1
    let inner = block.mlp?.width(of: model.width) ?? 1
    var rules = [TensorRule("model.final_norm.weight", gain("final_norm.weight"))]
    rules += tables(of: model)
    for k in 0..<model.depth {
      let (there, here) = ("model.layers.\(k).", "layers.\(k).")
      rules += [
        TensorRule(there + "temporal_pre_norm.weight", gain(here + "norm.weight")),
        TensorRule(there + "channel_pre_norm.weight", gain(here + "mlp_norm.weight")),
      ]
      rules += mixer(
        there + "temporal_block.", here + "mixer.", width: model.width, heads: heads,
        kernel: kernel)
      for part in ["weight", "bias"] {
        let up = here + "mlp.gate_up_proj." + part
        let mlp = there + "mlp_block."
        rules += [
          TensorRule(mlp + "gate_proj." + part, .rows(0..<inner, of: up)),
          TensorRule(mlp + "up_proj." + part, .rows(inner..<2 * inner, of: up)),
          TensorRule(mlp + "down_proj." + part, here + "mlp.down_proj." + part),
        ]
      }
    }
    return rules
  }

  /// Returns the tensors of the embedding and of the output layer.
  private static func tables(of model: ForeignModel) -> [TensorRule] {
    let (table, head) = ("model.embed_tokens.weight", "lm_head.weight")
    switch (model.options.tied, model.options.embeddingScale) {
    case (true, .some):
      return [
        TensorRule(table, "encoder.weight"),
        TensorRule(head, "encoder.weight", .repeated(isWritten: false)),
      ]
    case (false, _):
      return [TensorRule(table, "encoder.weight"), TensorRule(head, "decoder.weight")]
    case (true, nil):
      let scale = Float(embeddingScale(model.width))
      return [
        TensorRule(head, "encoder.weight"),
        TensorRule(
          table, .mapped(.divided(scale), .parameter("encoder.weight")), .repeated(isWritten: true)),
      ]
    }
  }

  /// Returns the tensors of a mixer.
  private static func mixer(
    _ there: String, _ here: String, width: Int, heads: Int, kernel: Int
  ) -> [TensorRule] {
    let size = width / heads
    var rules = [
      TensorRule(
        there + "conv_1d.weight",
        .reshaped([width, 1, kernel], .transposed(.parameter(here + "conv.weight")))),
      TensorRule(there + "conv_1d.bias", here + "conv.bias"),
      TensorRule(there + "rg_lru.recurrent_param", here + "a_param_l0"),
    ]
    // A head's matrix is [in, out] there.
    for (gate, own) in [("recurrent", "a"), ("input", "input")] {
      let blocks = (0..<heads).map { head in
        TensorForm.transposed(
          .rows(head * size..<(head + 1) * size, of: here + "weight_\(own)_gate_l0"))
      }
      let name = there + "rg_lru.\(gate)_gate_"
      rules += [
        TensorRule(name + "weight", .reshaped([heads, size, size], .joined(blocks))),
        TensorRule(
          name + "bias",
          .reshaped([heads, size], .parameter(here + "bias_\(own)_gate_l0"))),
      ]
    }
    for (name, own) in [
      ("linear_x", "in_proj"), ("linear_y", "gate_proj"), ("linear_out", "out_proj"),
    ] {
      for part in [".weight", ".bias"] {
        rules.append(TensorRule(there + name + part, here + own + part))
      }
    }
    return rules
  }

  /// Returns the gain of a norm, which is 1 + w there.
  private static func gain(_ name: String) -> TensorForm {
    .mapped(.shifted(-1), .parameter(name))
  }

  /// Returns √width rounded to bfloat16, the factor of transformers.
  static func embeddingScale(_ width: Int) -> Double {
    let bits = Float(Double(width).squareRoot()).bitPattern
    return Double(Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000))
  }

  /// Returns the options with √width as the number that it is, and with the number of heads as it is.
  public static func canonical(_ options: SequenceModelOptions) -> SequenceModelOptions {
    guard let scale = options.embeddingScale, let width = options.embedding,
      scale.isScale(embeddingScale(width), of: width)
    else { return options }
    var options = options
    options.embeddingScale = .factor(embeddingScale(width))
    return options
  }

  /// Models with one scale, without one and untied, of several heads and one, with a cap and without.
  public static var samples: [ForeignModel] {
    func sample(
      width: Int, depth: Int, heads: Int, inner: Int, kernel: Int, cap: Double?, tied: Bool,
      scaled: Bool
    ) -> ForeignModel {
      var options = SequenceModelOptions.preset("hawk", width: width, depth: depth)!
      options.changeBlocks { _, block in
        block.mixer.options = RGLRU.Options(hidden: width, heads: heads, inputWeights: false)
        block.mixer.convolution = ConvolutionOptions(kernel: kernel)
        block.mlp?.factor = Double(inner) / Double(width)
      }
      options.tied = tied
      options.output.softCap = cap
      if scaled { options.embeddingScale = .factor(embeddingScale(width)) }
      return ForeignModel(options, vocabulary: 11)
    }
    return [
      sample(
        width: 6, depth: 2, heads: 2, inner: 18, kernel: 4, cap: nil, tied: true, scaled: false),
      sample(
        width: 12, depth: 3, heads: 3, inner: 7, kernel: 3, cap: 30, tied: true, scaled: true),
      sample(
        width: 5, depth: 1, heads: 1, inner: 9, kernel: 2, cap: nil, tied: false, scaled: true),
    ]
  }
}

extension EmbeddingScale {
  /// Returns true if the factor on an embedding of some width is this one.
  fileprivate func isScale(_ scale: Double, of width: Int) -> Bool {
    switch self {
    case .factor(let factor): Float(factor) == Float(scale)
    case .squareRoot: Float(Double(width).squareRoot()) == Float(scale)
    }
  }
}
