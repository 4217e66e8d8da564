internal import LinearAlgebra

/// Rows of numbers from an array file.
struct NumberArray {
  var rows, columns: Int
  /// The numbers, row after row.
  var numbers: [Real]

  /// - Parameters:
  ///   - shape: The shape; it must be steps × numbers, neither of them 0.
  ///   - place: The name of the array in messages.
  init(
    _ text: Span<UInt8>, in range: Range<Int>, shape: [Int], isDouble: Bool, _ place: String
  ) throws(DataError) {
    guard shape.count == 2, shape.allSatisfy({ $0 > 0 }) else {
      throw DataError(
        "\(place) has the shape (\(shape.map(String.init).joined(separator: ", "))): save frames as an "
          + "array of steps × numbers")
    }
    (rows, columns) = (shape[0], shape[1])
    numbers = []
    numbers.reserveCapacity(rows * columns)
    let size = isDouble ? 8 : 4
    for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
      let number =
        isDouble
        ? Real(Double(bitPattern: text.littleEndian(8, at: start)))
        : Real(Float(bitPattern: UInt32(text.littleEndian(4, at: start))))
      guard number.isFinite else {
        throw DataError(
          "\(place) has a NaN, an infinity or too large a number in row "
            + "\((start - range.lowerBound) / size / columns + 1): write finite numbers")
      }
      numbers.append(number)
    }
  }

  /// Returns the bytes of an array of some shape; nil if the number overflows.
  static func bytes(of shape: [Int], isDouble: Bool) -> Int? {
    shape.reduce(isDouble ? 8 : 4) { (product: Int?, count) in
      guard let (value, overflow) = product?.multipliedReportingOverflow(by: count), !overflow
      else { return nil }
      return value
    }
  }
}

extension Span<UInt8> {
  /// Returns a little-endian whole number of `count` bytes.
  func littleEndian(_ count: Int, at start: Int) -> UInt64 {
    (0..<count).reduce(0) { $0 | UInt64(self[start + $1]) << UInt64(8 * $1) }
  }
}
