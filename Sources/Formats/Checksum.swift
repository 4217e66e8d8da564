internal import CZlib

/// Extends a CRC-32 by further bytes; the CRC-32 of no bytes is 0.
func extend(_ checksum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
  guard !bytes.isEmpty else { return checksum }
  return UInt32(
    crc32_z(UInt(checksum), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
}

/// The CRC-32 of bytes.
package func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { extend(0, $0) } }

/// The CRC-32C (Castagnoli) of bytes, which the records of event files have.
package func castagnoli(_ bytes: [UInt8]) -> UInt32 {
  var checksum = ~UInt32(0)
  for byte in bytes {
    checksum = (checksum >> 8) ^ castagnoliTable[Int((checksum ^ UInt32(byte)) & 0xFF)]
  }
  return ~checksum
}

/// The remainders of all bytes by the polynomial 0x1EDC6F41, its bits in reverse order.
private let castagnoliTable: [UInt32] = (0..<256).map { byte in
  (0..<8).reduce(UInt32(byte)) { remainder, _ in
    remainder & 1 == 1 ? (remainder >> 1) ^ 0x82F6_3B78 : remainder >> 1
  }
}

/// Returns all hexadecimal digits of a number, including leading zeros.
package func hexadecimal(_ value: some FixedWidthInteger) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
}
