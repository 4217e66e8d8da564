import Configuration
import Exchange
import Formats
import Foundation
import Recurrence

/// A language model in plain loops in Double, from a file whose layers have joined matrices: what
/// course notes write as `a = M [x, h₋] + c`.
struct PlainNetwork {
  private struct Layer {
    let cell: String
    let matrix: [[Double]]
    let bias: [Double]
    /// b′ₙ of a `gru`.
    let own: [Double]
  }

  private let embedding, output: [[Double]]
  private let outputBias: [Double]
  private let layers: [Layer]
  private let gate: UpdateGate
  private let gatesCandidate: Bool

  /// - Parameters:
  ///   - cells: of the layers, from the bottom to the top.
  ///   - gatesCandidate: of an `update-gru`.
  init(
    _ file: SafetensorsFile, cells: [String], gate: UpdateGate, gatesCandidate: Bool = false
  ) throws {
    func vector(_ name: String) throws -> [Double] {
      try file.values(name, as: Float.self).map { Double($0) }
    }
    func matrix(_ name: String) throws -> [[Double]] {
      let (values, width) = (try vector(name), file[name]!.shape[1])
      return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
    }
    embedding = try matrix("encoder.weight")
    output = try matrix("decoder.weight")
    outputBias = try vector("decoder.bias")
    let isOneModule = Set(cells).count == 1
    layers = try cells.enumerated().map { k, cell in
      let (prefix, suffix) = isOneModule ? ("rnn.", "_l\(k)") : ("layers.\(k).", "_l0")
      return Layer(
        cell: cell, matrix: try matrix(prefix + "weight" + suffix),
        bias: try vector(prefix + "bias" + suffix),
        own: cell == "gru" ? try vector(prefix + "bias_hn" + suffix) : [])
    }
    self.gate = gate
    self.gatesCandidate = gatesCandidate
  }

  /// The logits after each symbol of a text, from a state of zeros.
  func logits(_ symbols: [Int32]) -> [[Double]] {
    var states = layers.map { layer -> (h: [Double], c: [Double]) in
      let gates = ["elman": 1, "leaky": 1, "update-gru": 2, "lstm": 4][layer.cell] ?? 3
      let zeros = [Double](repeating: 0, count: layer.bias.count / gates)
      return (zeros, zeros)
    }
    return symbols.map { symbol in
      var x = embedding[Int(symbol)]
      for (k, layer) in layers.enumerated() {
        states[k] = step(layer, x, states[k])
        x = states[k].h
      }
      return zip(product(output, x), outputBias).map(+)
    }
  }

  private func step(
    _ layer: Layer, _ x: [Double], _ state: (h: [Double], c: [Double])
  ) -> (h: [Double], c: [Double]) {
    let n = state.h.count
    let a = zip(product(layer.matrix, x + state.h), layer.bias).map(+)
    func rows(_ block: Int) -> [[Double]] { Array(layer.matrix[block * n..<(block + 1) * n]) }
    switch layer.cell {
    case "elman": return (a.map { tanh($0) }, [])
    case "leaky": return (zip(a, state.h).map { 0.6 * $1 + 0.4 * tanh($0) }, [])
    case "update-gru":
      let gates = a[..<n].map { logistic($0) }
      let seen = gatesCandidate ? zip(gates, state.h).map(*) : state.h
      let candidates = zip(product(rows(1), x + seen), layer.bias[n...]).map { tanh($0 + $1) }
      return ((0..<n).map { gates[$0] * candidates[$0] + (1 - gates[$0]) * state.h[$0] }, [])
    case "lstm":
      let c = (0..<n).map {
        logistic(a[n + $0]) * state.c[$0] + logistic(a[$0]) * tanh(a[2 * n + $0])
      }
      return ((0..<n).map { logistic(a[3 * n + $0]) * tanh(c[$0]) }, c)
    default:
      let r = a[..<n].map { logistic($0) }
      let input = product(rows(2).map { Array($0[..<x.count]) }, x)
      let u = rows(2).map { Array($0[x.count...]) }
      let past =
        layer.cell == "gru"
        ? zip(product(u, state.h), layer.own).map(+)
        : product(u, zip(r, state.h).map(*))
      let h = (0..<n).map { j in
        let own = layer.cell == "gru" ? r[j] * past[j] : past[j]
        let candidate = tanh(input[j] + layer.bias[2 * n + j] + own)
        let share = logistic(a[n + j])
        return gate == .candidate
          ? share * candidate + (1 - share) * state.h[j]
          : (1 - share) * candidate + share * state.h[j]
      }
      return (h, [])
    }
  }

  private func logistic(_ a: Double) -> Double { 1 / (1 + exp(-a)) }

  private func product(_ matrix: [[Double]], _ x: [Double]) -> [Double] {
    matrix.map { row in
      precondition(row.count == x.count, "\(row.count) columns for \(x.count) numbers")
      return zip(row, x).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }
}
