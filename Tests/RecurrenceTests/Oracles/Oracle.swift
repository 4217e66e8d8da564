import Foundation
import NumericalTestSupport
import Recurrence
import Testing

/// Small language models with the losses, states and gradients that PyTorch finds for them in Double.
///
/// Read from `Tests/Oracles/cells.json` and `equations.json`, which the scripts beside them make: the
/// first from PyTorch's modules, the second from a cell's equations. Each case is an embedding,
/// recurrent layers, a linear layer and the cross-entropy summed over two consecutive windows; the state
/// is zero before the first and carried into the second. Parameters are multiples of 1/256, so that
/// Float and Double hold the same model; a tied matrix comes under both its names.
struct Oracle: Decodable {
  let cases: [Case]

  struct Case: Decodable, CustomTestStringConvertible {
    let name: String
    let vocabulary: Int
    let embedding: Int
    let streams: Int
    let layers: [Layer]
    let tied: Bool
    let parameters: [String: Tensor]
    let windows: [Window]

    var testDescription: String { name }
  }

  struct Layer: Decodable {
    /// `elman`, `lstm` or `gru` where PyTorch has a module of it.
    let cell: String
    let hidden: Int
    let projection: Int?
    let nonlinearity: String?
    /// The same as a configuration has it.
    let options: LayerOptions

    init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      cell = try keys.decode(String.self, forKey: .cell)
      hidden = try keys.decode(Int.self, forKey: .hidden)
      projection = try keys.decodeIfPresent(Int.self, forKey: .projection)
      nonlinearity = try keys.decodeIfPresent(String.self, forKey: .nonlinearity)
      options = try LayerOptions(from: decoder)
    }

    private enum CodingKeys: String, CodingKey { case cell, hidden, projection, nonlinearity }

    /// The width that the layer above sees.
    var width: Int { projection ?? hidden }
  }

  /// Rows are time-major: row `t · streams + s` is step t of stream s.
  struct Window: Decodable {
    let steps: Int
    let inputs: [Int32]
    /// −1 where nothing is asked for.
    let targets: [Int32]
    /// The state before the first and after the last step, one entry per layer from the lowest.
    let before: [State]
    let after: [State]
    /// The output of the uppermost layer.
    let outputs: Tensor
    /// Sum of the cross-entropies in nats.
    let loss: Double
    /// The derivatives of `loss`.
    let gradients: [String: Tensor]
  }

  /// `[streams, width]` each; only an LSTM has a `c`.
  struct State: Decodable {
    let h: Tensor
    let c: Tensor?
  }

  struct Tensor: Decodable {
    let shape: [Int]
    /// The last index runs fastest.
    let values: [Double]

    /// Row i of a matrix.
    subscript(i: Int) -> ArraySlice<Double> { values[i * shape[1]..<(i + 1) * shape[1]] }

    /// The largest |a − b| / max(1, |a|); infinite where a number is missing or not a number.
    func difference(from other: [Double]) -> Double {
      guard values.count == other.count else { return .infinity }
      return zip(values, other).reduce(0) { worst, pair in
        let difference = abs(pair.0 - pair.1) / max(1, abs(pair.0))
        return difference.isNaN ? .infinity : max(worst, difference)
      }
    }
  }

  /// The results of an implementation for a window, to be compared with the oracle's.
  struct Measured {
    var loss = 0.0
    var outputs: [Double] = []
    /// The states after the last step, one entry per layer from the lowest, `[streams, width]` each.
    var after: [(h: [Double], c: [Double]?)] = []
    var gradients: [String: [Double]] = [:]
  }

  static let cells: Oracle = oracle("cells")
  static let equations: Oracle = oracle("equations")
}

extension Oracle.Case {
  /// PyTorch's name of a layer's parameter: equal layers are one module, others one each.
  func parameterName(_ name: String, layer k: Int) -> String {
    let areEqual = layers.allSatisfy {
      $0.cell == layers[0].cell && $0.hidden == layers[0].hidden
        && $0.projection == layers[0].projection && $0.nonlinearity == layers[0].nonlinearity
    }
    return areEqual ? "rnn.\(name)_l\(k)" : "layers.\(k).\(name)_l0"
  }
}

extension Oracle.Case {
  /// How far an implementation is from PyTorch in a window, by what was compared.
  ///
  /// Everything must be there: what is missing is infinitely far. A tied matrix may come under either name.
  func differences(of measured: Oracle.Measured, in window: Oracle.Window) -> [String: Double] {
    var differences = [
      "loss": Oracle.Tensor(shape: [1], values: [window.loss]).difference(from: [measured.loss]),
      "outputs": window.outputs.difference(from: measured.outputs),
      "layers": window.after.count == measured.after.count ? 0 : .infinity,
    ]
    for (k, (expected, state)) in zip(window.after, measured.after).enumerated() {
      differences["h of layer \(k)"] = expected.h.difference(from: state.h)
      if let c = expected.c {
        differences["c of layer \(k)"] = c.difference(from: state.c ?? [])
      }
    }
    let other = ["encoder.weight": "decoder.weight", "decoder.weight": "encoder.weight"]
    for (name, gradient) in window.gradients {
      let alias = tied ? other[name].flatMap { measured.gradients[$0] } : nil
      differences["gradient of \(name)"] = gradient.difference(
        from: measured.gradients[name] ?? alias ?? [])
    }
    return differences
  }
}
