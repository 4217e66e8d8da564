/// The registry of recurrent cells, keyed by the name that configurations use. A new cell is one
/// line here and one file in Cells/.
public let cells: [String: any RecurrentCell.Type] = [
  "clockwork": Clockwork.self,
  "deep-transition": DeepTransition.self,
  "dense": Dense.self,
  "echo-state": EchoState.self,
  "elman": Elman.self,
  "gated-deltanet": GatedDeltaNet.self,
  "gru": GRU.self,
  "gru-reset-before": GRUResetBefore.self,
  "hgrn2": HGRN2.self,
  "jordan": Jordan.self,
  "leaky": Leaky.self,
  "lstm": LSTM.self,
  "m2rnn": M2RNN.self,
  "mamba2": Mamba2.self,
  "matrix-lstm": MatrixLSTM.self,
  "min-gru": MinGRU.self,
  "min-lstm": MinLSTM.self,
  "mlstm": MultiplicativeLSTM.self,
  "multiplicative": Multiplicative.self,
  "retention": Retention.self,
  "rg-lru": RGLRU.self,
  "rwkv6": RWKV6.self,
  "rwkv7": RWKV7.self,
  "second-order": SecondOrder.self,
  "skip": Skip.self,
  "slstm": SLSTM.self,
  "update-gru": UpdateGRU.self,
  "xlstm-mlstm": MatrixXLSTM.self,
  "xlstm-slstm": ScalarXLSTM.self,
]

// Decoding that the options of several cells share.
extension KeyedDecodingContainer {
  /// Decodes the number of hidden units, which is required.
  func hiddenUnits(_ key: Key) throws -> Int {
    try checkedWidth(try decode(Int.self, forKey: key), key)
  }

  /// Checks that a width is at least 1 and so small that a product of two widths does not overflow.
  func checkedWidth(_ value: Int, _ key: Key, largest: Int = 1 << 24) throws -> Int {
    guard (1...largest).contains(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: value < 1
          ? "\(key.stringValue) must be at least 1"
          : "\(key.stringValue) must be at most \(largest)")
    }
    return value
  }

  /// Decodes the number of heads into which a width is divided: 1 unless it says otherwise.
  func heads(_ key: Key, dividing width: Int, _ name: String) throws -> Int {
    let value = try decodeIfPresent(Int.self, forKey: key) ?? 1
    guard value > 0, width.isMultiple(of: value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription:
          "\(key.stringValue) must be a divisor of \(name) (\(width)), and \(value) is none")
    }
    return value
  }

  /// Decodes the width of the keys of all heads, a multiple of their number; nil for the cell's own.
  func keyWidth(_ key: Key, of heads: Int) throws -> Int? {
    guard let value = try decodeIfPresent(Int.self, forKey: key) else { return nil }
    guard try checkedWidth(value, key).isMultiple(of: heads) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) must be a multiple of heads (\(heads))")
    }
    return value
  }

  /// Decodes a width, such as the rank of a map; nil if the key is absent.
  func width(_ key: Key) throws -> Int? {
    try decodeIfPresent(Int.self, forKey: key).map { try checkedWidth($0, key) }
  }

  /// Decodes l of L, the place of a layer among those of its cell: 0 of 1 unless it says otherwise.
  func layerPlace(_ index: Key, of count: Key) throws -> (index: Int, count: Int) {
    let count = try width(count) ?? 1
    let value = try decodeIfPresent(Int.self, forKey: index) ?? 0
    guard (0..<count).contains(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: index, in: self,
        debugDescription: "\(index.stringValue) must be from 0 to below layer_count (\(count))")
    }
    return (value, count)
  }

  /// Decodes ε of the normalisation of each head of an RWKV.
  func normEps(_ key: Key) throws -> Double {
    let eps = try decodeIfPresent(Double.self, forKey: key) ?? 64e-5
    guard eps > 0, eps < 1 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) must be above 0 and below 1")
    }
    return eps
  }

  /// Decodes the number of steps that a convolution inside a cell reads; nil if the key is absent.
  func kernel(_ key: Key) throws -> Int? {
    guard let value = try decodeIfPresent(Int.self, forKey: key) else { return nil }
    guard (2...8).contains(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "a convolution reads 2 to 8 steps, not \(value)")
    }
    return value
  }

  /// Decodes the exponent of the first forget biases of an sLSTM; nil if the key is absent.
  func forgetExponent(_ key: Key) throws -> Double? {
    guard let value = try decodeIfPresent(Double.self, forKey: key) else { return nil }
    guard value > 0, value <= 10 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) must be above 0 and at most 10")
    }
    return value
  }

  /// Decodes the longest time T, in steps, over which a gate's initial biases are spread. T is at
  /// least 3.
  func longestMemory(_ key: Key) throws -> Int? {
    guard let value = try decodeIfPresent(Int.self, forKey: key) else { return nil }
    guard value >= 3 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) is a number of time steps, at least 3")
    }
    return value
  }

  /// Decodes the number of biases: 2 as in PyTorch, unless the configuration says 1.
  func numberOfBiases(_ key: Key) throws -> Int {
    let value = try decodeIfPresent(Int.self, forKey: key) ?? 2
    guard value == 1 || value == 2 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) must be 2, as in PyTorch, or 1")
    }
    return value
  }
}
