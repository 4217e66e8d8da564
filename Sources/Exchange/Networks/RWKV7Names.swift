public import Formats
internal import Recurrence

/// The names of RWKV-LM, in the two spellings of shapes that files have.
struct RWKV7Names {
  /// True for a file of rwkv.cpp: low-rank matrices as `[out, in]`, and the six μ of the time mix in one tensor.
  let isOfRWKVCpp: Bool

  func rules(for own: RWKV7Settings) -> [TensorRule] {
    let n = own.width
    var rules = [TensorRule("emb.weight", "encoder.weight"), own.output("head.weight")]
    rules += RWKV7Settings.norm("blocks.0.ln0", "embedding_norm")
    rules += RWKV7Settings.norm("ln_out", "final_norm")
    for k in 0..<own.depth {
      let (here, there) = (RWKV7Settings.Names(k), "blocks.\(k).")
      let (att, ffn) = (there + "att.", there + "ffn.")
      rules += RWKV7Settings.norm(there + "ln1", here.block + "norm")
      rules += RWKV7Settings.norm(there + "ln2", here.block + "mlp_norm")
      func add(_ name: String, _ form: TensorForm) { rules.append(TensorRule(name, form)) }
      func row(_ form: TensorForm) -> TensorForm { .reshaped([1, 1, n], form) }
      let letters = ["r", "w", "k", "v", "a", "g"]
      if isOfRWKVCpp {
        add(att + "x_rwkvag", .joined(letters.map { row(here.cell("x_" + $0)) }))
      } else {
        for letter in letters { add(att + "x_" + letter, row(here.cell("x_" + letter))) }
      }
      for letter in ["w", "a", "g"] + (k > 0 ? ["v"] : []) {
        if letter != "g" { add(att + letter + "0", row(here.cell(letter + "0"))) }
        for side in ["1", "2"] {
          let matrix = here.cell(letter + side)
          add(att + letter + side, isOfRWKVCpp ? matrix : .transposed(matrix))
        }
      }
      add(att + "k_k", row(here.cell("k_k")))
      add(att + "k_a", row(here.cell("k_a")))
      add(att + "r_k", .reshaped([own.heads, n / own.heads], here.cell("r_k")))
      for name in ["receptance", "key", "value"] {
        add(att + name + ".weight", here.cell("weight_" + name))
      }
      add(att + "output.weight", here.output)
      add(att + "ln_x.weight", here.cell("ln_x_weight"))
      add(att + "ln_x.bias", here.cell("ln_x_bias"))
      add(ffn + "x_k", row(here.shift))
      add(ffn + "key.weight", here.up)
      add(ffn + "value.weight", here.down)
    }
    return rules + unusedValues
  }

  /// The mixture of values of the first block, which has no layer below: some files have it, and readers that
  /// load strictly want it.
  private var unusedValues: [TensorRule] {
    let here = RWKV7Settings.Names(0)
    return ["0", "1", "2"].map { side in
      let matrix = here.cell("a" + side)
      return TensorRule(
        "blocks.0.att.v" + side, isOfRWKVCpp || side == "0" ? matrix : .transposed(matrix),
        isOfRWKVCpp ? .ignored : .unused)
    }
  }

  /// Returns the settings that the shapes of tensors tell.
  func configuration(in content: ForeignContent) throws(FileError) -> ForeignConfiguration {
    let embedding = try content.shape("emb.weight", dimensions: 2)
    let heads = try content.shape("blocks.0.att.r_k", dimensions: 2)
    let depth = content.depth(after: "blocks.")
    let side = isOfRWKVCpp ? 0 : 1
    var values: [String: JSONValue] = [
      "vocab_size": .integer(embedding[0]), "n_embd": .integer(embedding[1]),
      "n_layer": .integer(depth), "n_head": .integer(heads[0]),
      "dim_ffn": .integer(try content.shape("blocks.0.ffn.key.weight", dimensions: 2)[0]),
    ]
    for letter in ["w", "a", "g"] + (depth > 1 ? ["v"] : []) {
      let name = "blocks.\(letter == "v" ? 1 : 0).att.\(letter)1"
      values["d_\(letter)_lora"] = .integer(try content.shape(name, dimensions: 2)[side])
    }
    return ForeignConfiguration(
      of: content, values, isTied: content.areEqual("emb.weight", "head.weight"))
  }

  static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration {
    let own = try RWKV7Settings(model)
    if own.epsilon != RWKV7Settings.usualEpsilon {
      throw Obstacle("layers.0.block.norm.eps is \(own.epsilon), and a rwkv7 there has 1e-5")
    }
    return ForeignConfiguration(
      [
        "vocab_size": .integer(own.vocabulary), "n_embd": .integer(own.width),
        "n_layer": .integer(own.depth), "n_head": .integer(own.heads),
        "dim_ffn": .integer(own.inner), "d_w_lora": .integer(own.decayRank),
        "d_a_lora": .integer(own.rateRank), "d_v_lora": .integer(own.valueRank),
        "d_g_lora": .integer(own.gateRank),
      ], isTied: own.isTied)
  }

  static func model(of configuration: ForeignConfiguration) throws(FileError) -> ForeignModel {
    let (width, depth) = try configuration.size(width: "n_embd", depth: "n_layer")
    let heads = try configuration.count("n_head")
    guard width.isMultiple(of: heads) else {
      throw configuration.refuse("has \(heads) heads for a width of \(width)")
    }
    return RWKV7Settings(
      width: width, depth: depth, vocabulary: try configuration.count("vocab_size"), heads: heads,
      inner: try configuration.count("dim_ffn"), decayRank: try configuration.count("d_w_lora"),
      rateRank: try configuration.count("d_a_lora"),
      valueRank: try configuration.count("d_v_lora", default: 32),
      gateRank: try configuration.count("d_g_lora"), isTied: configuration.isTied
    ).model
  }

  /// True if a file has the tensors that RWKV-7 has and no other version.
  static func areIn(_ content: ForeignContent) -> Bool {
    content["blocks.0.att.r_k"] != nil && content["emb.weight"] != nil
  }
}

/// RWKV-7 under the names of RWKV-LM, whose programs read a `.safetensors` file as they read a `.pth`.
public enum RWKVLanguageModel: ForeignNetwork {
  public static let name = "rwkv7"
  public static let container = ForeignContainer.rwkv
  public static let cell = "rwkv7"

  public static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration { try RWKV7Names.configuration(of: model) }

  public static func configuration(
    in content: ForeignContent
  ) throws(FileError) -> ForeignConfiguration {
    try RWKV7Names(isOfRWKVCpp: false).configuration(in: content)
  }

  public static func model(
    of configuration: ForeignConfiguration
  ) throws(FileError) -> ForeignModel { try RWKV7Names.model(of: configuration) }

  public static func rules(for model: ForeignModel) -> [TensorRule] {
    RWKV7Names(isOfRWKVCpp: false).rules(for: RWKV7Settings(of: model))
  }

  public static func recognises(_ content: ForeignContent) -> Bool { RWKV7Names.areIn(content) }

  public static var samples: [ForeignModel] { RWKV7Settings.samples }
}

/// RWKV-7 in the files of rwkv.cpp.
public enum RWKVCppNetwork: ForeignNetwork {
  public static let name = "rwkv7"
  public static let container = ForeignContainer.rwkvCpp
  public static let cell = "rwkv7"

  public static func configuration(
    of model: ForeignModel
  ) throws(Obstacle) -> ForeignConfiguration { try RWKV7Names.configuration(of: model) }

  public static func configuration(
    in content: ForeignContent
  ) throws(FileError) -> ForeignConfiguration {
    try RWKV7Names(isOfRWKVCpp: true).configuration(in: content)
  }

  public static func model(
    of configuration: ForeignConfiguration
  ) throws(FileError) -> ForeignModel { try RWKV7Names.model(of: configuration) }

  public static func rules(for model: ForeignModel) -> [TensorRule] {
    RWKV7Names(isOfRWKVCpp: true).rules(for: RWKV7Settings(of: model))
  }

  public static func recognises(_ content: ForeignContent) -> Bool { RWKV7Names.areIn(content) }

  public static var samples: [ForeignModel] { RWKV7Settings.samples }
}
