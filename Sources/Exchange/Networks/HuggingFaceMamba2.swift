public import Formats
public import Recurrence

/// `Mamba2ForCausalLM` of transformers.
public enum HuggingFaceMamba2: ForeignNetwork {
  public static let name = "mamba2"
  public static let container = ForeignContainer.huggingface
  public static let cell = "mamba2"

  public static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration {
    let own = Mamba2Settings(model)
    guard own.hidden.isMultiple(of: own.width) else {
      throw Obstacle(
        "the cells have \(own.hidden) units, and transformers needs a multiple of the width "
          + "(\(own.width))")
    }
    return ForeignConfiguration([
      "architectures": .array(["Mamba2ForCausalLM"]),
      "model_type": "mamba2",
      "vocab_size": .integer(own.vocabulary),
      "hidden_size": .integer(own.width),
      "num_hidden_layers": .integer(own.depth),
      "expand": .integer(own.hidden / own.width),
      "num_heads": .integer(own.heads),
      "head_dim": .integer(own.hidden / own.heads),
      "state_size": .integer(own.state),
      "n_groups": .integer(own.groups),
      "conv_kernel": .integer(own.kernel),
      "layer_norm_epsilon": .number(Mamba2Settings.epsilon),
      "hidden_act": "silu",
      "use_bias": false,
      "use_conv_bias": true,
      "tie_word_embeddings": .bool(own.isTied),
    ])
  }

  public static func model(
    of configuration: ForeignConfiguration
  ) throws(FileError) -> ForeignModel {
    try configuration.require("hidden_act", "silu")
    try configuration.require("use_bias", false)
    try configuration.require("use_conv_bias", true)
    try configuration.require("layer_norm_epsilon", .number(Mamba2Settings.epsilon))
    if case .array(let limits)? = configuration.values["time_step_limit"],
      limits.map(\.double) != [0, .infinity]
    {
      throw configuration.refuse("has a time_step_limit, which models here lack")
    }
    let (width, depth) = try configuration.size(width: "hidden_size", depth: "num_hidden_layers")
    let heads = try configuration.count("num_heads")
    let expand = try configuration.count("expand", default: 2, most: 64)
    let own = Mamba2Settings(
      width: width, depth: depth, vocabulary: try configuration.count("vocab_size"),
      hidden: expand * width, heads: heads, state: try configuration.count("state_size"),
      groups: try configuration.count("n_groups"), kernel: try configuration.count("conv_kernel"),
      isTied: try configuration.flag("tie_word_embeddings", default: false))
    if let problem = own.problem { throw configuration.refuse("has \(problem)") }
    let size = try configuration.count("head_dim")
    guard heads * size == own.hidden else {
      throw configuration.refuse(
        "has \(heads) heads of \(size) for an inner width of \(own.hidden)")
    }
    return own.model
  }

  public static func rules(for model: ForeignModel) -> [TensorRule] {
    let own = Mamba2Settings(model)
    var rules = [
      TensorRule("backbone.embeddings.weight", "encoder.weight"),
      TensorRule("backbone.norm_f.weight", "final_norm.weight"),
      own.isTied
        ? TensorRule("lm_head.weight", "encoder.weight", .repeated(isWritten: false))
        : TensorRule("lm_head.weight", "decoder.weight"),
    ]
    let convolved = own.hidden + 2 * own.groups * own.state
    for k in 0..<own.depth {
      let (there, here) = ("backbone.layers.\(k).", "layers.\(k).mixer.")
      let mixer = there + "mixer."
      rules += [
        TensorRule(there + "norm.weight", "layers.\(k).norm.weight"),
        TensorRule(mixer + "in_proj.weight", here + "weight_ih_l0"),
        TensorRule(
          mixer + "conv1d.weight",
          .reshaped(
            [convolved, 1, own.kernel], .transposed(.parameter(here + "conv_weight_l0")))),
        TensorRule(mixer + "conv1d.bias", here + "conv_bias_l0"),
        TensorRule(mixer + "dt_bias", here + "dt_bias_l0"),
        TensorRule(mixer + "A_log", here + "A_log_l0"),
        TensorRule(mixer + "D", here + "D_l0"),
        TensorRule(mixer + "norm.weight", here + "norm_weight_l0"),
        TensorRule(mixer + "out_proj.weight", here + "out_proj.weight"),
      ]
    }
    return rules
  }

  public static func canonical(_ options: SequenceModelOptions) -> SequenceModelOptions {
    Mamba2Settings.canonical(options)
  }

  public static var samples: [ForeignModel] { Mamba2Settings.samples }
}
