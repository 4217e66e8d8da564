internal import CZlib

/// Extends a CRC-32 by further bytes; the CRC-32 of no bytes is 0.
func extend(_ checksum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
  guard !bytes.isEmpty else { return checksum }
  return UInt32(
    crc32_z(UInt(checksum), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
}

/// The CRC-32 of bytes.
package func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { extend(0, $0) } }

/// Returns all hexadecimal digits of a number, including leading zeros.
package func hexadecimal(_ value: some FixedWidthInteger) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
}
