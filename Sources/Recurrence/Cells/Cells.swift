/// Every recurrent cell by the name that configurations use: one line here and one file in Cells/.
public let cells: [String: any RecurrentCell.Type] = [
  "clockwork": Clockwork.self,
  "deep-transition": DeepTransition.self,
  "dense": Dense.self,
  "echo-state": EchoState.self,
  "elman": Elman.self,
  "gru": GRU.self,
  "gru-reset-before": GRUResetBefore.self,
  "jordan": Jordan.self,
  "leaky": Leaky.self,
  "lstm": LSTM.self,
  "min-gru": MinGRU.self,
  "min-lstm": MinLSTM.self,
  "mlstm": MultiplicativeLSTM.self,
  "multiplicative": Multiplicative.self,
  "second-order": SecondOrder.self,
  "skip": Skip.self,
  "update-gru": UpdateGRU.self,
]

// What cells' options have in common.
extension KeyedDecodingContainer {
  /// The number of units: required.
  func hiddenUnits(_ key: Key) throws -> Int {
    try checkedWidth(try decode(Int.self, forKey: key), key)
  }

  /// A width, refused where it is less than 1 or too large for products of widths to be counted.
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

  /// The longest time T, in steps, whose memories a gate's first biases are spread over; at least 3.
  func longestMemory(_ key: Key) throws -> Int? {
    guard let value = try decodeIfPresent(Int.self, forKey: key) else { return nil }
    guard value >= 3 else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) is a number of time steps, at least 3")
    }
    return value
  }

  /// Two biases as in PyTorch unless one is asked for.
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
