import Exchange
import Formats
import Foundation
import LinearAlgebra
import Recurrence
import TestSupport
import Testing

@Suite struct `Networks of other programs` {
  static let networks = Array(foreignNetworks.indices)

  /// A model whose parameters all have other numbers.
  static func weights(_ model: ForeignModel) -> (SequenceModel, ParameterVector) {
    let own = SequenceModel(model.options, vocabulary: model.vocabulary, seed: 1)
    let weights = ParameterVector(ParameterLayout(own.plan))
    for (k, entry) in weights.layout.entries.enumerated() {
      let numbers = weights.elements(of: entry)
      for i in numbers.indices { numbers[i] = Float(i % 997) / 512 - Float(k % 31) / 64 }
    }
    return (own, weights)
  }

  static func content(
    _ network: any ForeignNetwork.Type, _ model: ForeignModel
  ) throws -> (content: ForeignContent, weights: ParameterVector) {
    let weights = weights(model).1
    return (
      ForeignContent(
        "FILE", network.container, configuration: try network.configuration(of: model).values,
        tensors: network.tensors(of: model, weights)), weights
    )
  }

  @Test(arguments: networks)
  func `the settings and tensors that are written are those of the same model, read back`(
    _ index: Int
  ) throws {
    let network = foreignNetworks[index]
    #expect(!network.samples.isEmpty)
    for sample in network.samples {
      let (content, weights) = try Self.content(network, sample)
      let isRecognised = network.recognises(content)
      #expect(isRecognised)
      let model = try network.model(of: network.configuration(in: content))
      #expect(model.vocabulary == sample.vocabulary)
      #expect(network.canonical(model.options) == network.canonical(sample.options))

      let found = try network.parameters(of: model, in: content)
      #expect(found.map(\.name) == weights.layout.entries.map(\.name))
      for (tensor, entry) in zip(found, weights.layout.entries) {
        let (numbers, given) = (tensor.floats!, Array(weights.elements(of: entry)))
        let isRounded = network.isRounded(entry.name)
        let isNear = zip(numbers, given).allSatisfy { (a: Float, b: Float) in
          abs(a - b) <= 2e-7 * max(abs(b), 1)
        }
        #expect(isRounded ? isNear : numbers == given, "\(entry.name)")
      }
    }
  }

  @Test(arguments: networks)
  func `every parameter is in one required tensor, or its rows are in several`(_ index: Int) throws
  {
    let network = foreignNetworks[index]
    for sample in network.samples {
      let (content, weights) = try Self.content(network, sample)
      #expect(Set(content.tensors.map(\.name)).count == content.tensors.count)
      var numbers = 0
      for rule in network.rules(for: sample) where rule.presence.isRequired {
        numbers += try #require(content[rule.name]).count
      }
      #expect(numbers == weights.layout.learnt)
    }
  }

  @Test(arguments: networks)
  func `a file that lacks, renames or reshapes a tensor is refused with its name`(
    _ index: Int
  ) throws {
    let network = foreignNetworks[index]
    let sample = network.samples[0]
    let content = try Self.content(network, sample).content
    func refusal(_ tensors: [Tensor]) -> String {
      let changed = ForeignContent(
        "FILE", network.container, configuration: content.configuration, tensors: tensors)
      do {
        _ = try network.parameters(of: sample, in: changed)
        return "none"
      } catch {
        return error.description
      }
    }
    for rule in network.rules(for: sample) where rule.presence.isRequired {
      let others = content.tensors.filter { $0.name != rule.name }
      let tensor = content[rule.name]!
      #expect(refusal(others).contains("it has no \(rule.name)"), "\(rule.name)")
      let flat = Tensor(rule.name, shape: [tensor.count, 1, 1, 1], copying: tensor.floats!)
      #expect(
        refusal(others + [flat]).contains("holds \(rule.name) as [\(tensor.count), 1, 1, 1]"))
      let whole = Tensor(
        rule.name, shape: tensor.shape, copying: (0..<tensor.count).map { Int32($0) })
      #expect(refusal(others + [whole]).contains("\(rule.name) as I32 and not a floating-point"))
    }
    #expect(
      refusal(content.tensors + [Tensor("more", shape: [1], copying: [1] as [Float])])
        .contains("also holds more"))
  }

  @Test func `a tied matrix has the same numbers under both names, or the file is refused`() throws
  {
    let sample = HuggingFaceMamba2.samples[0]
    let content = try Self.content(HuggingFaceMamba2.self, sample).content
    #expect(content["lm_head.weight"] == nil)
    let table = content["backbone.embeddings.weight"]!
    for factor in [1, 2] as [Float] {
      let head = Tensor(
        "lm_head.weight", shape: table.shape, copying: table.floats!.map { $0 * factor })
      let both = ForeignContent(
        "FILE", .huggingface, configuration: content.configuration,
        tensors: content.tensors + [head])
      if factor == 1 {
        _ = try HuggingFaceMamba2.parameters(of: sample, in: both)
      } else {
        #expect(throws: FileError.self) {
          try HuggingFaceMamba2.parameters(of: sample, in: both)
        }
      }
    }
  }

  @Test func `llama.cpp has minus the exponential of A, and a positive number is refused`() throws {
    let sample = LlamaMamba2.samples[0]
    let (content, weights) = try Self.content(LlamaMamba2.self, sample)
    let entry = try #require(weights.layout.entry(named: "layers.1.mixer.A_log_l0"))
    let here = Array(weights.elements(of: entry))
    #expect(content["blk.1.ssm_a"]?.shape == [3, 1])
    #expect(content["blk.1.ssm_a"]?.floats == here.map { -Float(Foundation.exp(Double($0))) })
    let positive = Tensor("blk.1.ssm_a", shape: [3, 1], copying: [-1, 1, -1] as [Float])
    let changed = ForeignContent(
      "FILE", .gguf, configuration: content.configuration,
      tensors: content.tensors.filter { $0.name != "blk.1.ssm_a" } + [positive])
    let error = #expect(throws: FileError.self) {
      try LlamaMamba2.parameters(of: sample, in: changed)
    }
    #expect(error?.description.contains("blk.1.ssm_a with numbers that are not below 0") == true)
  }

  @Test func `the mixtures of the time mix are one tensor in the order r, w, k, v, a, g`() throws {
    let sample = LlamaRWKV7.samples[0]
    let (content, weights) = try Self.content(LlamaRWKV7.self, sample)
    let fused = try #require(content["blk.2.time_mix_lerp_fused.weight"])
    let n = sample.width
    #expect(fused.shape == [6, 1, 1, n])
    for (place, letter) in ["r", "w", "k", "v", "a", "g"].enumerated() {
      let entry = try #require(weights.layout.entry(named: "layers.2.mixer.x_\(letter)_l0"))
      #expect(
        Array(fused.floats![place * n..<place * n + n]) == Array(weights.elements(of: entry)))
    }
  }

  @Test func `RWKV-LM has the low-rank matrices transposed`() throws {
    let sample = RWKVLanguageModel.samples[0]
    let (content, weights) = try Self.content(RWKVLanguageModel.self, sample)
    let entry = try #require(weights.layout.entry(named: "layers.2.mixer.w1_l0"))
    let there = try #require(content["blocks.2.att.w1"])
    #expect(entry.shape == [2, 6] && there.shape == [6, 2])
    let (own, other) = (Array(weights.elements(of: entry)), there.floats!)
    for row in 0..<6 {
      for column in 0..<2 { #expect(other[row * 2 + column] == own[column * 6 + row]) }
    }
  }

  @Test(arguments: [
    (
      "{preset: rwkv7, width: 96, depth: 1}",
      "a head has 48 units, and llama.cpp computes only heads of a multiple of 64"
    ),
    ("{preset: rwkv7, width: 64, depth: 1, output_bias: true}", "output_bias is true"),
    (
      "{preset: rwkv7, width: 64, depth: 1, final_norm: rmsnorm}",
      "final_norm.eps is 1e-06"
    ),
    ("{preset: rwkv7, width: 64, depth: 1, embedding_scale: 2}", "embedding_scale is 2"),
    ("{preset: hawk, width: 8, depth: 2}", "layer 0 is a block of rg-lru"),
    ("{embedding: 8, layers: [{cell: lstm, hidden: 8}]}", "layer 0 is no block"),
    (
      "{embedding: 8, layers: [{block: {mixer: {cell: mamba2, hidden: 8}}}]}",
      "the cells have 8 units, and llama.cpp needs twice the width (8)"
    ),
    (
      "{embedding: 8, layers: [{block: {mixer: {cell: mamba2, hidden: 16}, mlp: gelu}}]}",
      "and a mamba2 there has"
    ),
    ("{layers: [{cell: lstm, hidden: 8}]}", "the model has no embedding"),
  ])
  func `a model that llama.cpp lacks is refused with its first part that differs`(
    _ section: String, _ words: String
  ) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: section, steps: 1)
      let error = #expect(throws: FileError.self) {
        try ForeignExport(run.train(), to: .gguf)
      }
      #expect(error?.exitCode == 65)
      #expect(error?.description.contains("cannot be exported as a GGUF file, because") == true)
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
  }
}

extension ForeignNetwork {
  /// True if a parameter comes back only up to rounding.
  fileprivate static func isRounded(_ parameter: String) -> Bool {
    Self.self == LlamaMamba2.self && parameter.hasSuffix("A_log_l0")
  }
}
