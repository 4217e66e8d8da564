import Foundation
import LinearAlgebra
import Recurrence
import Testing

/// RWKV-7 beside what every cell and every block is tested for: more steps than a chunk, and its first weights.
@Suite struct `RWKV-7` {
  /// A layer that takes a window at once, or one step after the other, which the rate of dropped weights
  /// makes it do although it has none.
  private func layer(heads: Int, stepping: Bool) -> SequenceModelOptions {
    SequenceModelOptions(
      embedding: 6,
      layers: [
        LayerOptions(
          .recurrent(
            cell: "rwkv7",
            RWKV7.Options(
              hidden: 6, heads: heads, inputWeights: false, decayRank: 2, rateRank: 3, gateRank: 4)),
          weightDropout: stepping ? 0.5 : 0)
      ])
  }

  private struct Result {
    var losses: [Real]
    var gradient: [Real]
  }

  /// Runs windows of some lengths one after the other and adds their gradients up.
  private func run(
    _ options: SequenceModelOptions, _ lengths: [Int], resets: [(Int, Int)]
  ) -> Result {
    let trial = WindowTrial(options, steps: lengths.max()!)
    var result = Result(losses: [], gradient: [])
    var start = 0
    for length in lengths {
      trial.fill(
        window: 0, steps: length, from: start,
        resets: resets.filter { $0.0 >= start && $0.0 < start + length }
          .map { ($0.0 - start, $0.1) })
      trial.run(training: true)
      result.losses += trial.tape.loss.rows.elements(count: trial.batch.rows)
      result.gradient = Array(trial.gradient.buffer.elements())
      trial.tape.carryStates()
      start += length
    }
    return result
  }

  private func difference(_ a: [Real], _ b: [Real]) -> Double {
    let size = a.map { Double($0 * $0) }.reduce(0, +)
    let distance = zip(a, b).map { Double(($0 - $1) * ($0 - $1)) }.reduce(0, +)
    return a.count == b.count ? (distance / size).squareRoot() : .infinity
  }

  @Test(arguments: [1, 2, 3])
  func `is the same in a window, in steps and in windows of any length`(_ heads: Int) {
    let tolerance = Real.self == Double.self ? 1e-12 : 1e-5
    for resets in [[], [(0, 1), (5, 0), (16, 1), (17, 1), (31, 0), (40, 1)]] {
      let whole = run(layer(heads: heads, stepping: false), [45], resets: resets)
      let steps = run(layer(heads: heads, stepping: true), [45], resets: resets)
      #expect(difference(whole.losses, steps.losses) < tolerance)
      #expect(difference(whole.gradient, steps.gradient) < tolerance)
      for lengths in [[16, 29], [7, 1, 37], Array(repeating: 1, count: 45), [32, 13]] {
        for stepping in [false, true] {
          let cut = run(layer(heads: heads, stepping: stepping), lengths, resets: resets)
          #expect(difference(whole.losses, cut.losses) < tolerance, "\(lengths)")
        }
      }
      // The gradient of the last window, from the state that the first carries.
      let halves = run(layer(heads: heads, stepping: false), [20, 25], resets: resets)
      let others = run(layer(heads: heads, stepping: true), [20, 25], resets: resets)
      #expect(difference(halves.gradient, others.gradient) < tolerance)
    }
  }

  @Test func `forgets at a reset what came before`() {
    let options = layer(heads: 2, stepping: false)
    let whole = run(options, [33], resets: [(18, 0), (18, 1)])
    let trial = WindowTrial(options, steps: 33)
    trial.fill(window: 0, steps: 15, from: 18)
    trial.run(training: false)
    let alone = Array(trial.tape.loss.rows.elements(count: trial.batch.rows))
    #expect(Array(whole.losses[(18 * WindowTrial.streams)...]) == alone)
  }

  @Test func `mixes the values of the first layer of its width`() throws {
    #expect(
      refusal(
        ofModel: #"""
          {"embedding": 6, "layers": [{"cell": "rwkv7", "hidden": 4},
          {"cell": "rwkv7", "hidden": 6, "value_residual": true}]}
          """#)?.sentence
        == "layer 1 has value_residual, which reads the values of an rwkv7 layer of 6 units below it, "
        + "and there is none; set value_residual to false")
    #expect(
      refusal(
        ofModel: #"""
          {"embedding": 6, "layers": [{"cell": "rwkv7", "hidden": 6, "value_rank": 3}]}
          """#)?.sentence == "value_rank needs value_residual; set value_residual to true")
    #expect(
      refusal(
        ofModel: #"""
          {"embedding": 6, "layers": [{"cell": "rwkv7", "hidden": 6, "layer_index": 2,
          "layer_count": 2}]}
          """#)?.sentence == "layer_index must be from 0 to below layer_count (2)")
    #expect(
      refusal(
        ofModel: #"{"embedding_norm": "layernorm", "layers": [{"cell": "gru", "hidden": 6}]}"#)?
        .sentence == "embedding_norm needs an embedding; set embedding")
  }
}

/// The first weights of a model that the preset `rwkv7` makes, against the formulas of the reference.
@Suite struct `First weights of RWKV-7` {
  private static let (width, depth, vocabulary) = (96, 3, 211)
  private let values: [String: [Double]]
  private let options: SequenceModelOptions

  init() throws {
    options = try #require(
      try decodeModel(#"{"preset": "rwkv7", "width": 96, "depth": 3}"#).sequence)
    let model = SequenceModel(options, vocabulary: Self.vocabulary, seed: 1)
    let layout = ParameterLayout(model.plan)
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    values = Dictionary(
      uniqueKeysWithValues: layout.entries.map {
        ($0.name, weights.elements(of: $0).map { Double($0) })
      })
  }

  @Test func `are in every parameter of the model and no other`() {
    var names: Set = [
      "encoder.weight", "decoder.weight", "embedding_norm.weight", "embedding_norm.bias",
      "final_norm.weight", "final_norm.bias",
    ]
    let ofCell = [
      "x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "w1", "w2", "a0", "a1", "a2", "g1", "g2",
      "k_k", "k_a", "r_k", "weight_receptance", "weight_key", "weight_value", "ln_x_weight",
      "ln_x_bias",
    ]
    for layer in 0..<Self.depth {
      let block = [
        "norm.weight", "norm.bias", "mlp_norm.weight", "mlp_norm.bias", "mixer.out_proj.weight",
        "mlp.shift.mix", "mlp.up_proj.weight", "mlp.down_proj.weight",
      ]
      let cell = (layer == 0 ? ofCell : ofCell + ["v0", "v1", "v2"]).map { "mixer.\($0)_l0" }
      names.formUnion((block + cell).map { "layers.\(layer)." + $0 })
    }
    #expect(Set(values.keys) == names)
  }

  private func expectUniform(_ name: String, _ bound: Double) throws {
    let values = try #require(values[name])
    let most = values.map(\.magnitude).max()!
    let deviation = (values.map { $0 * $0 }.reduce(0, +) / Double(values.count)).squareRoot()
    let mean = values.reduce(0, +) / Double(values.count)
    #expect(most <= bound * (1 + 1e-6) && most > 0.99 * bound, "\(name): \(most), not \(bound)")
    #expect(abs(deviation * 3.0.squareRoot() / bound - 1) < 0.03, "\(name): \(deviation)")
    #expect(abs(mean) < 3 * bound / Double(values.count).squareRoot(), "\(name): \(mean)")
  }

  /// Expects rows, or columns if they are fewer, that are orthogonal and of one length.
  private func expectOrthogonal(_ name: String, rows: Int, _ length: Double) throws {
    let values = try #require(values[name])
    let columns = values.count / rows
    let (count, isWide) = (min(rows, columns), rows < columns)
    func number(_ i: Int, _ k: Int) -> Double {
      isWide ? values[i * columns + k] : values[k * columns + i]
    }
    for i in 0..<count {
      for j in 0...i {
        let product = (0..<max(rows, columns)).reduce(0) { $0 + number(i, $1) * number(j, $1) }
        let expected = i == j ? length * length : 0
        #expect(abs(product - expected) < 1e-5 * length * length, "\(name): \(product)")
      }
    }
  }

  @Test func `of matrices are uniform, zero or orthogonal`() throws {
    let root = Double(Self.width).squareRoot()
    try expectUniform("encoder.weight", 1e-4)
    try expectOrthogonal(
      "decoder.weight", rows: Self.vocabulary,
      0.5 * (Double(Self.vocabulary) / Double(Self.width)).squareRoot())
    for layer in 0..<Self.depth {
      let n = "layers.\(layer).", m = n + "mixer."
      try expectUniform(m + "weight_receptance_l0", 0.5 / root)
      try expectUniform(m + "weight_key_l0", 0.05 / root)
      try expectUniform(m + "weight_value_l0", 0.5 / root)
      try expectUniform(n + "mlp.up_proj.weight", 0.5 / root)
      for name in [m + "out_proj.weight", n + "mlp.down_proj.weight"] {
        #expect(try #require(values[name]).allSatisfy { $0 == 0 }, "\(name)")
      }
      // max(32, round(c √96 / 32) 32), c = 2.5, 2.5, 1.7 and 5.
      for (letter, rank) in [("w", 32), ("a", 32), ("v", 32), ("g", 64)]
      where letter != "v" || layer > 0 {
        let down = try #require(values[m + letter + "1_l0"])
        #expect(down.count == rank * Self.width && down.allSatisfy { $0 == 0 }, "\(letter)1")
        try expectOrthogonal(m + letter + "2_l0", rows: Self.width, 0.1)
      }
    }
  }

  @Test func `of vectors follow the place of the unit and of the layer`() throws {
    func expect(_ name: String, _ formula: (Double) -> Double) throws {
      let found = try #require(values[name])
      #expect(found.count == Self.width, "\(name)")
      for (j, value) in found.enumerated() {
        let expected = formula(Double(j))
        #expect(abs(value - expected) < 1e-5, "\(name)[\(j)]: \(value), not \(expected)")
      }
    }
    let n = Double(Self.width), head = 48.0
    func lin(_ j: Double) -> Double { j / (n - 1) - 0.5 }
    func zig(_ j: Double) -> Double {
      let z = (j.truncatingRemainder(dividingBy: head) - (head - 1) / 2) / ((head - 1) / 2)
      return z * abs(z)
    }
    for layer in 0..<Self.depth {
      let m = "layers.\(layer).mixer."
      let (place, left) = (Double(layer) / 2, 1 - Double(layer) / 3)
      for (letter, factor) in [
        ("r", 0.2), ("w", 0.9), ("k", 0.7), ("v", 0.7), ("a", 0.9), ("g", 0.2),
      ] { try expect(m + "x_\(letter)_l0") { 1 - Foundation.pow($0 / n, factor * left) } }
      try expect(m + "w0_l0") {
        -6 + 6 * Foundation.pow($0 / (n - 1), 1 + Foundation.pow(place, 0.3)) + 0.5 + 2.5 * zig($0)
      }
      try expect(m + "a0_l0") { -0.19 + 0.3 * zig($0) + 0.4 * lin($0) }
      if layer > 0 { try expect(m + "v0_l0") { 0.73 - 0.4 * lin($0) } }
      try expect(m + "k_k_l0") { 0.71 - 0.1 * lin($0) }
      try expect(m + "k_a_l0") { _ in 1.02 }
      try expect(m + "r_k_l0") { _ in -0.04 }
      try expect(m + "ln_x_weight_l0") { _ in Foundation.pow(Double(layer + 1) / 3, 0.7) }
      try expect(m + "ln_x_bias_l0") { _ in 0 }
      try expect("layers.\(layer).mlp.shift.mix") {
        1 - Foundation.pow($0 / n, Foundation.pow(left, 4))
      }
    }
    for norm in ["embedding_norm", "final_norm", "layers.1.norm", "layers.2.mlp_norm"] {
      try expect(norm + ".weight") { _ in 1 }
      try expect(norm + ".bias") { _ in 0 }
    }
  }

  @Test func `belong to a model that is written in full and read again`() throws {
    let data = try JSONEncoder().encode(ModelOptions.sequence(options))
    let again = try JSONDecoder().decode(ModelOptions.self, from: data)
    #expect(again == .sequence(options))
    #expect(!options.tied && !options.output.hasBias && options.layers.count == Self.depth)
  }
}
