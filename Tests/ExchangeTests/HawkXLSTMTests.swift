import Exchange
import Formats
import LinearAlgebra
import Recurrence
import Testing

@Suite struct `Hawk and xLSTM in transformers' form` {
  /// A model with its weights, in the form of a folder.
  private func content(
    _ network: any ForeignNetwork.Type, _ model: ForeignModel
  ) throws -> (content: ForeignContent, weights: ParameterVector) {
    let own = SequenceModel(model.options, vocabulary: model.vocabulary, seed: 1)
    let weights = ParameterVector(ParameterLayout(own.plan))
    weights.initialize(seed: 4)
    for entry in weights.layout.entries where entry.isVector {
      for i in 0..<entry.count { weights.elements(of: entry)[i] += 0.37 * Float(i % 3) }
    }
    return (
      ForeignContent(
        "FILE", network.container, configuration: try network.configuration(of: model).values,
        tensors: network.tensors(of: model, weights)), weights
    )
  }

  private func obstacle(_ network: any ForeignNetwork.Type, _ model: ForeignModel) -> String {
    do throws(Obstacle) {
      _ = try network.configuration(of: model)
      return "none"
    } catch {
      return error.reason
    }
  }

  private static let networks: [any ForeignNetwork.Type] = [
    HuggingFaceRecurrentGemma.self, HuggingFaceXLSTM.self,
  ]

  @Test(arguments: 0..<2)
  func `every number comes back bit by bit, with the settings`(_ index: Int) throws {
    let network = Self.networks[index]
    for sample in network.samples {
      let (content, weights) = try content(network, sample)
      let model = try network.model(of: network.configuration(in: content))
      #expect(network.canonical(model.options) == network.canonical(sample.options))
      let found = try network.parameters(of: model, in: content)
      for (tensor, entry) in zip(found, weights.layout.entries) {
        #expect(tensor.name == entry.name)
        #expect(tensor.floats! == Array(weights.elements(of: entry)), "\(entry.name)")
      }
    }
  }

  @Test func `norms of Hawk have their gain less 1, and matrices of heads are turned`() throws {
    let sample = HuggingFaceRecurrentGemma.samples[0]
    let (content, weights) = try content(HuggingFaceRecurrentGemma.self, sample)
    func own(_ name: String) -> [Float] {
      Array(weights.elements(of: weights.layout.entry(named: name)!))
    }
    let gains = own("layers.1.mlp_norm.weight")
    #expect(content["model.layers.1.channel_pre_norm.weight"]!.floats! == gains.map { $0 - 1 })
    #expect(gains.contains { $0 != 1 })
    // Two heads of three units: row i, column j of a head here is row j, column i there.
    let gate = content["model.layers.0.temporal_block.rg_lru.input_gate_weight"]!
    let (there, here) = (gate.floats!, own("layers.0.mixer.weight_input_gate_l0"))
    #expect(gate.shape == [2, 3, 3])
    for head in 0..<2 {
      for i in 0..<3 {
        for j in 0..<3 { #expect(there[9 * head + 3 * i + j] == here[9 * head + 3 * j + i]) }
      }
    }
    let up = own("layers.0.mlp.gate_up_proj.weight")
    #expect(content["model.layers.0.mlp_block.gate_proj.weight"]!.floats! == Array(up[..<108]))
    #expect(content["model.layers.0.mlp_block.up_proj.weight"]!.floats! == Array(up[108...]))
  }

  @Test func `a Hawk without embedding_scale has its embedding divided by that of transformers`()
    throws
  {
    let sample = HuggingFaceRecurrentGemma.samples[0]
    let (content, weights) = try content(HuggingFaceRecurrentGemma.self, sample)
    let table = Array(weights.elements(of: weights.layout.entry(named: "encoder.weight")!))
    #expect(content["lm_head.weight"]!.floats! == table)
    // √6 in bfloat16
    #expect(content["model.embed_tokens.weight"]!.floats! == table.map { $0 / 2.453125 })
    #expect(content.configuration["tie_word_embeddings"] == false)
    // Another embedding is that of an untied model.
    let other = content.tensors.map { tensor in
      tensor.name == "model.embed_tokens.weight"
        ? Tensor(tensor.name, shape: tensor.shape, copying: table) : tensor
    }
    let changed = ForeignContent(
      "FILE", .huggingface, configuration: content.configuration, tensors: other)
    let model = try HuggingFaceRecurrentGemma.model(
      of: HuggingFaceRecurrentGemma.configuration(in: changed))
    #expect(!model.options.tied && model.options.embeddingScale == .factor(2.453125))
  }

  @Test func `widths are found again, whatever their ratio`() throws {
    for width in 1...200 {
      var sample = HuggingFaceXLSTM.samples[2]
      let inner = 1 + width * 7 % 64 * 3
      sample.options = .preset("xlstm-7b", width: width, depth: 1)!
      guard case .block(var block) = sample.options.layers[0].kind else { return }
      block.mixer.options = MatrixLSTM.Options(
        hidden: 1 + width * 5 % 97, heads: 1, keyWidth: 1 + width * 3 % 89, zeroGates: true)
      block.mlp = MLPOptions(
        .swiglu, factor: Double(inner) / Double(width), bias: false)
      sample.options.layers[0].kind = .block(block)
      let model = try HuggingFaceXLSTM.model(of: HuggingFaceXLSTM.configuration(of: sample))
      guard case .block(let found) = model.options.layers[0].kind else { return }
      #expect(found.mlp?.width(of: width) == block.mlp?.width(of: width))
      #expect(found.mixer == block.mixer)
    }
  }

  @Test func `what transformers lacks is refused in a sentence`() throws {
    var sample = HuggingFaceRecurrentGemma.samples[0]
    sample.options.tied = false
    #expect(
      obstacle(HuggingFaceRecurrentGemma.self, sample).hasPrefix(
        "model.embedding_scale is not 2.453125"))
    sample.options.embeddingScale = .factor(2)
    #expect(
      obstacle(HuggingFaceRecurrentGemma.self, sample).hasPrefix(
        "model.embedding_scale is not 2.453125"))
    let (content, _) = try content(
      HuggingFaceRecurrentGemma.self, HuggingFaceRecurrentGemma.samples[1])
    for (key, value, words) in [
      ("block_types", .array(["recurrent", "attention"]), "has blocks of attention"),
      ("num_attention_heads", 5, "has 5 heads for 12 units"),
      ("lru_width", 24, "has 24 for lru_width and 12 for hidden_size"),
      ("intermediate_size", 15, "has an odd intermediate_size, 15"),
      ("hidden_activation", "silu", "for hidden_activation"),
    ] as [(String, JSONValue, String)] {
      var values = content.configuration
      values[key] = value
      let error = #expect(throws: FileError.self) {
        try HuggingFaceRecurrentGemma.model(of: ForeignConfiguration(values))
      }
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
    for (key, value) in [
      ("use_bias", true), ("weight_mode", "fused"), ("add_out_norm", false), ("norm_eps", 0.01),
    ] as [(String, JSONValue)] {
      var values = try HuggingFaceXLSTM.configuration(of: HuggingFaceXLSTM.samples[0]).values
      values[key] = value
      let error = #expect(throws: FileError.self) {
        try HuggingFaceXLSTM.model(of: ForeignConfiguration(values))
      }
      #expect(error?.description.contains("for \(key)") == true)
    }
  }
}
