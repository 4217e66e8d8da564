import Foundation
import LinearAlgebra
import Recurrence
import Testing

@Suite struct `First weights` {
  private static let options = SequenceModelOptions(
    embedding: 6,
    layers: [
      LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 40, forgetBias: 1.5))),
      LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 30))),
    ])

  private func weights(
    _ initializer: Initializer, seed: UInt64 = 4,
    changing change: (inout SequenceModelOptions) -> Void = { _ in }
  ) -> [String: [Double]] {
    var options = Self.options
    options.initializer = initializer
    change(&options)
    let model = SequenceModel(options, vocabulary: 50, seed: 1)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.initialize(seed: seed)
    return Dictionary(
      uniqueKeysWithValues: weights.layout.entries.map {
        ($0.name, weights.elements(of: $0).map { Double($0) })
      })
  }

  private func deviation(_ values: [Double]) -> Double {
    (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
  }

  @Test func `are PyTorch's unless asked otherwise`() throws {
    let w = weights(.pytorch)
    let recurrent = try #require(w["layers.0.weight_hh_l0"])
    let bound = 1 / 40.0.squareRoot()
    #expect(recurrent.allSatisfy { abs($0) <= bound })
    // A uniform number in ±s deviates by s/√3.
    #expect(abs(deviation(recurrent) / (bound / 3.0.squareRoot()) - 1) < 0.05)
    #expect(abs(recurrent.reduce(0, +) / Double(recurrent.count)) < bound / 20)
    #expect(abs(deviation(try #require(w["encoder.weight"])) - 1) < 0.15)
    let output = try #require(w["decoder.weight"])
    #expect(output.allSatisfy { abs($0) <= 1 / 30.0.squareRoot() })
    #expect(deviation(try #require(w["layers.1.bias_hh_l0"])) > 0)
  }

  @Test func `of the uniform initializer have one spread, biases too`() throws {
    for (name, values) in weights(.uniform(0.1)) where name != "layers.0.bias_ih_l0" {
      #expect(values.allSatisfy { abs($0) <= 0.1 }, "\(name)")
      #expect(deviation(values) > 0.03, "\(name)")
    }
  }

  @Test(arguments: [Initializer.normal(0.02), .xavier, .orthogonal])
  func `have zero biases, but for the forget gate's`(_ initializer: Initializer) throws {
    let w = weights(initializer)
    for (name, values) in w where name.contains("bias") && name != "layers.0.bias_ih_l0" {
      #expect(values.allSatisfy { $0 == 0 }, "\(name)")
    }
    let bias = try #require(w["layers.0.bias_ih_l0"])
    for (j, value) in bias.enumerated() { #expect(value == (40..<80 ~= j ? 1.5 : 0)) }
  }

  @Test func `chrono spreads how long the gates of a memory keep over up to T steps`() throws {
    // b_f = ln U(1, T − 1), b_i = −b_f of the same draw, g and o as without.
    func bias(_ options: any CellOptions, _ cell: String, seed: UInt64 = 4) throws -> [Double] {
      let w = weights(.uniform(0.1), seed: seed) {
        $0.layers = [LayerOptions(.recurrent(cell: cell, options))]
      }
      return try #require(w["rnn.bias_ih_l0"])
    }
    let n = 400
    func expectSpread(_ values: ArraySlice<Double>) {
      let times = values.map { Foundation.exp($0) }
      #expect(times.allSatisfy { $0 >= 1 && $0 <= 99 + 1e-4 })
      // U(1, 99) has the mean 50 and the deviation 98/√12 = 28.3.
      let mean = times.reduce(0, +) / Double(n)
      #expect(abs(mean - 50) < 5)
      #expect(abs(deviation(times.map { $0 - mean }) - 28.3) < 3)
    }
    let plain = try bias(LSTM.Options(hidden: n), "lstm")
    let lstm = try bias(LSTM.Options(hidden: n, chrono: 100), "lstm")
    expectSpread(lstm[n..<2 * n])
    #expect(zip(lstm[..<n], lstm[n..<2 * n]).allSatisfy { $0 == -$1 })
    #expect(lstm[(2 * n)...] == plain[(2 * n)...])
    #expect(try bias(LSTM.Options(hidden: n, chrono: 100), "lstm") == lstm)
    #expect(try bias(LSTM.Options(hidden: n, chrono: 100), "lstm", seed: 5) != lstm)
    let coupled = try bias(LSTM.Options(hidden: n, coupled: true, chrono: 100), "lstm")
    expectSpread(coupled[..<n].map { -$0 }[...])
    #expect(coupled[n...].allSatisfy { abs($0) <= 0.1 } && coupled.count == 3 * n)
    #expect(
      try bias(LSTM.Options(hidden: n, layerNorm: true, chrono: 100), "lstm")[..<(2 * n)]
        == lstm[..<(2 * n)])
    // z of the gru keeps the past, r and n are as without.
    for cell in ["gru", "gru-reset-before"] {
      let gru = try bias(GRU.Options(hidden: n, chrono: 100), cell)
      expectSpread(gru[n..<2 * n])
      #expect((gru[..<n] + gru[(2 * n)...]).allSatisfy { abs($0) <= 0.1 })
    }
  }

  @Test(arguments: [Initializer.pytorch, .uniform(0.3), .normal(0.3), .orthogonal])
  func `of layer normalisation are one for gains and zero for the memory's shift`(
    _ initializer: Initializer
  ) throws {
    let w = weights(initializer) {
      let options = LSTM.Options(hidden: 7, layerNorm: true)
      $0.layers = [LayerOptions(.recurrent(cell: "lstm", options))]
    }
    for name in ["gain_ih", "gain_hh", "gain_c"] {
      #expect(try #require(w["rnn.\(name)_l0"]).allSatisfy { $0 == 1 }, "\(name)")
    }
    #expect(try #require(w["rnn.bias_c_l0"]).allSatisfy { $0 == 0 })
  }

  @Test func `of a scaled orthogonal initializer have rows of its length, or longer columns`()
    throws
  {
    let w = weights(.scaledOrthogonal(0.5))
    // Three gates of 30 rows that read 40 numbers.
    let wide = try #require(w["layers.1.weight_ih_l0"])
    for i in 0..<90 {
      let row = wide[i * 40..<(i + 1) * 40]
      #expect(abs(row.reduce(0) { $0 + $1 * $1 } - 0.25) < 1e-5)
    }
    // 50 symbols that read 30 numbers.
    let tall = try #require(w["decoder.weight"])
    for k in 0..<30 {
      let square = (0..<50).reduce(0) { $0 + tall[$1 * 30 + k] * tall[$1 * 30 + k] }
      #expect(abs(square - 0.25 * 50 / 30) < 1e-5)
    }
    #expect(try #require(w["decoder.bias"]).allSatisfy { $0 == 0 })
  }

  @Test func `of the normal and xavier initializers have their spread`() throws {
    #expect(
      abs(deviation(try #require(weights(.normal(0.02))["layers.0.weight_hh_l0"])) - 0.02) < 1e-3)
    // Each gate by itself: from 6 inputs to 40 units.
    let bound = (6.0 / 46).squareRoot()
    let input = try #require(weights(.xavier)["layers.0.weight_ih_l0"])
    #expect(input.allSatisfy { abs($0) <= bound })
    #expect(abs(deviation(input) / (bound / 3.0.squareRoot()) - 1) < 0.1)
  }

  @Test func `of the orthogonal initializer are orthonormal gate by gate`() throws {
    let u = try #require(weights(.orthogonal)["layers.1.weight_hh_l0"])
    for gate in 0..<3 {
      for i in 0..<30 {
        for k in 0...i {
          let product = (0..<30).reduce(0.0) {
            $0 + u[(gate * 30 + i) * 30 + $1] * u[(gate * 30 + k) * 30 + $1]
          }
          #expect(abs(product - (i == k ? 1 : 0)) < 1e-5, "rows \(i) and \(k) of gate \(gate)")
        }
      }
    }
  }

  @Test func `depend on the seed and the parameter's name alone`() throws {
    let w = weights(.pytorch)
    #expect(weights(.pytorch) == w)
    #expect(weights(.pytorch, seed: 5)["decoder.bias"] != w["decoder.bias"])
    #expect(w["layers.0.bias_hh_l0"] != w["layers.0.bias_ih_l0"])
    let larger = weights(.pytorch) {
      $0.layers.append(LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 30))))
    }
    #expect(larger["layers.0.weight_hh_l0"] == w["layers.0.weight_hh_l0"])
  }

  @Test func `of a layer, the embedding or the output may be drawn in a way of their own`() throws {
    let w = weights(.pytorch) {
      $0.embeddingInitializer = .uniform(0.01)
      $0.output.initializer = .normal(0.001)
      $0.output.bias = .learnt(.uniform(0.4))
      $0.layers[1].initializer = .uniform(0)
    }
    #expect(try #require(w["encoder.weight"]).allSatisfy { abs($0) <= 0.01 })
    #expect(deviation(try #require(w["decoder.weight"])) < 0.002)
    #expect(deviation(try #require(w["decoder.bias"])) > 0.1)
    #expect(try #require(w["layers.1.weight_hh_l0"]).allSatisfy { $0 == 0 })
    #expect(deviation(try #require(w["layers.0.weight_hh_l0"])) > 0.05)
  }
}
