/// Every recurrent cell by the name that configurations use: one line here and one file in Cells/.
public let cells: [String: any RecurrentCell.Type] = [
  "clockwork": Clockwork.self,
  "elman": Elman.self,
  "gru": GRU.self,
  "gru-reset-before": GRUResetBefore.self,
  "jordan": Jordan.self,
  "lstm": LSTM.self,
  "skip": Skip.self,
]

// What cells' options have in common.
extension KeyedDecodingContainer {
  /// The number of units: required.
  func hiddenUnits(_ key: Key) throws -> Int {
    try checkedWidth(try decode(Int.self, forKey: key), key)
  }

  /// A width, refused where it is less than 1 or too large for products of widths to be counted.
  func checkedWidth(_ value: Int, _ key: Key) throws -> Int {
    let largest = 1 << 24
    guard (1...largest).contains(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: value < 1
          ? "\(key.stringValue) must be at least 1"
          : "\(key.stringValue) must be at most \(largest)")
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
