import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Testing

/// HGRN2, retention and RWKV-6 beside what every cell and every block is tested for: their first weights, what
/// their layers share, and long streams.
@Suite struct `Linear attention` {
  /// The first values of the parameters of a model, by name.
  private func firstValues(_ model: String) throws -> [String: [Double]] {
    let options = try #require(try decodeModel(model).sequence)
    let layout = ParameterLayout(SequenceModel(options, vocabulary: 7, seed: 1).plan)
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    return Dictionary(
      uniqueKeysWithValues: layout.entries.map {
        ($0.name, weights.elements(of: $0).map { Double($0) })
      })
  }

  private func expectUniform(_ values: [Double]?, _ bound: Double, _ what: String) throws {
    let values = try #require(values, "\(what)")
    let most = values.map(\.magnitude).max()!
    let deviation = (values.map { $0 * $0 }.reduce(0, +) / Double(values.count)).squareRoot()
    #expect(most <= bound * 1.000001, "\(what): \(most), not \(bound)")
    #expect(most > 0.98 * bound, "\(what): \(most), not \(bound)")
    #expect(abs(deviation * 3.0.squareRoot() / bound - 1) < 0.03, "\(what): \(deviation)")
  }

  @Test func `the layers of hgrn2 share one bound, which is zero in the first`() throws {
    let layer = #"{"cell": "hgrn2", "hidden": 40, "heads": 4, "key_width": 32, "layer_count": 3"#
    let values = try firstValues(
      #"{"embedding": 48, "layers": [\#(layer)}, \#(layer), "layer_index": 1}, "#
        + #"\#(layer), "layer_index": 2}]}"#)
    let bounds = values.keys.filter { $0.contains("lower_bounds") }
    #expect(bounds == ["layers.1.lower_bounds_l0"])
    #expect(values["layers.1.lower_bounds_l0"] == Array(repeating: 0, count: 3 * 32))
    #expect(values["layers.2.norm_weight_l0"] == Array(repeating: 1, count: 40))
    try expectUniform(values["layers.0.weight_ih_l0"], 1 / 48.0.squareRoot(), "W")
    // Of another width, or of another number of layers, it is another bound.
    let others = try firstValues(
      #"{"embedding": 48, "layers": [\#(layer), "layer_index": 1}, "#
        + #"{"cell": "hgrn2", "hidden": 40, "layer_index": 1, "layer_count": 3}, "#
        + #"{"cell": "hgrn2", "hidden": 40, "layer_index": 1, "layer_count": 2}]}"#)
    #expect(others.keys.count { $0.contains("lower_bounds") } == 3)
    #expect(
      refusal(
        ofModel: #"{"layers": [{"cell": "hgrn2", "hidden": 6, "layer_index": 1}]}"#)?.sentence
        == "layer_index must be from 0 to below layer_count (1)")
  }

  @Test func `retention has the first weights of the reference and an even number of keys`() throws
  {
    let values = try firstValues(
      #"{"embedding": 64, "layers": [{"cell": "retention", "hidden": 128, "heads": 4}]}"#)
    // Half as many keys as values, and Xavier's distribution with the gain 2^−2.5.
    #expect(values["rnn.weight_ih_l0"]?.count == 64 * 384)
    let xavier = (6.0 / (64 + 128)).squareRoot()
    try expectUniform(values["rnn.weight_ih_l0"], Foundation.pow(2, -2.5) * xavier, "W")
    #expect(values["rnn.norm_weight_l0"] == Array(repeating: 1, count: 32))
    #expect(Retention.Options(hidden: 7).keyWidth == nil)
    #expect(
      refusal(
        ofModel: #"{"layers": [{"cell": "retention", "hidden": 6, "heads": 2, "key_width": 6}]}"#)?
        .sentence == "key_width must be an even number for each head, a multiple of 4")
  }

  @Test func `rwkv6 has the first weights of the reference`() throws {
    let (n, index, count) = (96, 1, 3)
    let values = try firstValues(
      #"{"embedding": 96, "layers": [{"cell": "rwkv6", "hidden": 96, "heads": 2, "#
        + #""input_weights": false, "layer_index": 1, "layer_count": 3}]}"#)
    let p = Double(index) / Double(count - 1)
    let q = 1 - Double(index) / Double(count)
    func expect(_ name: String, _ formula: (Double) -> Double) throws {
      let found = try #require(values["rnn.\(name)_l0"], "\(name)")
      #expect(found.count == n, "\(name)")
      for (j, value) in found.enumerated() {
        let expected = formula(Double(j))
        #expect(abs(value - expected) < 1e-5, "\(name)[\(j)]: \(value), not \(expected)")
      }
    }
    let last = Double(n - 1)
    for name in ["x_z", "x_w0", "x_k0"] { try expect(name) { 1 - Foundation.pow($0 / 96, q) } }
    for name in ["x_r0", "x_g0"] { try expect(name) { 1 - Foundation.pow($0 / 96, 0.5 * q) } }
    try expect("x_v0") { 1 - Foundation.pow($0 / 96, q) - 0.3 * p }
    try expect("w0") { -6 + 5 * Foundation.pow($0 / last, 0.7 + 1.3 * p) }
    try expect("u") { (j: Double) -> Double in
      let zigzag = (j + 1).truncatingRemainder(dividingBy: 3) - 1
      return p * (1 - j / last) + 0.1 * zigzag
    }
    try expect("ln_x_weight") { _ in Foundation.pow(2.0 / 3, 0.7) }
    try expect("ln_x_bias") { _ in 0 }
    for (name, rank) in [
      ("x_r", 32), ("x_w", 32), ("x_k", 32), ("x_v", 32), ("x_g", 32), ("w", 64),
    ] {
      let down = try #require(values["rnn.\(name)1_l0"])
      #expect(down.count == rank * n && down.allSatisfy { $0 == 0 }, "\(name)1")
      try expectUniform(values["rnn.\(name)2_l0"], 0.01, "\(name)2")
    }
    let gains: [String: Double] = ["receptance": 1, "key": 0.1, "value": 1, "gate": 0.1]
    for (name, gain) in gains {
      let matrix = try #require(values["rnn.weight_\(name)_l0"])
      let rows = (0..<n).map { Array(matrix[$0 * n..<($0 + 1) * n]) }
      for i in 0..<n {
        for j in [0, i] {
          let product = zip(rows[i], rows[j]).reduce(0.0) { $0 + $1.0 * $1.1 }
          let expected = i == j ? gain * gain : 0.0
          #expect(abs(product - expected) < 1e-5, "\(name)")
        }
      }
    }
    // The embedding, the output layer and its bias, and those of the cell.
    let ofCell = 1 + 5 * 3 + 4 + 3 + 1 + 2
    #expect(values.count == 3 + ofCell)
  }

  /// The clock of a stream has two digits of a base of 4096; a memory across the end of the first reads distances.
  @Test func `retention reads the same distances however long a stream is`() {
    let (steps, start) = (4300, 3500)
    let layer = LayerOptions(
      .recurrent(cell: "retention", Retention.Options(hidden: 5, keyWidth: 4)))
    func losses(_ resets: [(Int, Int)]) -> [Double] {
      let trial = WindowTrial(layer, steps: steps)
      trial.fill(window: 0, steps: steps, resets: resets)
      trial.run(training: false)
      return trial.tape.loss.rows.elements(count: trial.batch.rows).map { Double($0) }
    }
    // What is older than 500 steps is forgotten: (31/32)^500 < 2e-7.
    let (whole, later) = (losses([]), losses([(start, 0), (start, 1)]))
    for row in (start + 500) * WindowTrial.streams..<steps * WindowTrial.streams {
      #expect(abs(whole[row] - later[row]) < 1e-4, "row \(row): \(whole[row]), \(later[row])")
    }
    let early = start * WindowTrial.streams
    #expect(abs(whole[early] - later[early]) > 1e-4)
  }
}
