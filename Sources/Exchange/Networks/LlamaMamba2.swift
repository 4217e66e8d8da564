public import Formats
public import Recurrence

/// `mamba2` of llama.cpp.
///
/// It has −exp(A) in place of A, so that A comes back with the rounding of both functions.
public enum LlamaMamba2: ForeignNetwork {
  public static let name = "mamba2"
  public static let container = ForeignContainer.gguf
  public static let cell = "mamba2"

  public static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration {
    let own = Mamba2Settings(model)
    guard own.hidden == 2 * own.width else {
      throw Obstacle(
        "the cells have \(own.hidden) units, and llama.cpp needs twice the width (\(own.width))")
    }
    return ForeignConfiguration(
      [
        "general.architecture": "mamba2",
        // A recurrence has no limit; this is the number of the converter of llama.cpp.
        "mamba2.context_length": 1_048_576,
        "mamba2.embedding_length": .integer(own.width),
        "mamba2.block_count": .integer(own.depth),
        // Required by llama.cpp, and not used.
        "mamba2.feed_forward_length": 0, "mamba2.attention.head_count": 0,
        "mamba2.attention.layer_norm_rms_epsilon": .number(Mamba2Settings.epsilon),
        "mamba2.ssm.conv_kernel": .integer(own.kernel),
        "mamba2.ssm.inner_size": .integer(own.hidden),
        "mamba2.ssm.state_size": .integer(own.state),
        "mamba2.ssm.time_step_rank": .integer(own.heads),
        "mamba2.ssm.group_count": .integer(own.groups),
        "mamba2.vocab_size": .integer(own.vocabulary),
      ], isTied: own.isTied)
  }

  public static func configuration(
    in content: ForeignContent
  ) throws(FileError) -> ForeignConfiguration {
    var values = content.configuration
    values["mamba2.vocab_size"] = .integer(
      try content.shape("token_embd.weight", dimensions: 2)[0])
    return ForeignConfiguration(of: content, values, isTied: content["output.weight"] == nil)
  }

  public static func model(
    of configuration: ForeignConfiguration
  ) throws(FileError) -> ForeignModel {
    func count(_ key: String) throws(FileError) -> Int { try configuration.count("mamba2." + key) }
    try configuration.require(
      "mamba2.attention.layer_norm_rms_epsilon", .number(Mamba2Settings.epsilon))
    let (width, depth) = try configuration.size(
      width: "mamba2.embedding_length", depth: "mamba2.block_count")
    let own = Mamba2Settings(
      width: width, depth: depth, vocabulary: try count("vocab_size"),
      hidden: try count("ssm.inner_size"), heads: try count("ssm.time_step_rank"),
      state: try count("ssm.state_size"), groups: try count("ssm.group_count"),
      kernel: try count("ssm.conv_kernel"), isTied: configuration.isTied)
    if let problem = own.problem { throw configuration.refuse("has \(problem)") }
    return own.model
  }

  public static func rules(for model: ForeignModel) -> [TensorRule] {
    let own = Mamba2Settings(model)
    var rules = [
      TensorRule("token_embd.weight", "encoder.weight"),
      TensorRule("output_norm.weight", "final_norm.weight"),
      own.isTied
        ? TensorRule("output.weight", .parameter("encoder.weight"), .repeated(isWritten: false))
        : TensorRule("output.weight", "decoder.weight"),
    ]
    for k in 0..<own.depth {
      let there = "blk.\(k)."
      func cell(_ name: String) -> TensorForm { .parameter("layers.\(k).mixer.\(name)_l0") }
      rules += [
        TensorRule(there + "attn_norm.weight", "layers.\(k).norm.weight"),
        TensorRule(there + "ssm_in.weight", cell("weight_ih")),
        TensorRule(there + "ssm_conv1d.weight", .transposed(cell("conv_weight"))),
        TensorRule(there + "ssm_conv1d.bias", cell("conv_bias")),
        TensorRule(there + "ssm_dt.bias", cell("dt_bias")),
        TensorRule(
          there + "ssm_a", .mapped(.negativeExponential, .reshaped([own.heads, 1], cell("A_log")))),
        TensorRule(there + "ssm_d", .reshaped([own.heads, 1], cell("D"))),
        TensorRule(
          there + "ssm_norm.weight",
          .reshaped([own.groups, own.hidden / own.groups], cell("norm_weight"))),
        TensorRule(there + "ssm_out.weight", "layers.\(k).mixer.out_proj.weight"),
      ]
    }
    return rules
  }

  public static func canonical(_ options: SequenceModelOptions) -> SequenceModelOptions {
    Mamba2Settings.canonical(options)
  }

  public static var samples: [ForeignModel] { Mamba2Settings.samples }
}
