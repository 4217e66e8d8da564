import Configuration
import Formats
import Foundation
import Training

/// Puts the right checksum on a changed `state.json`, as docs/checkpoints.md tells.
func sealed(_ text: String) -> [UInt8] {
  var bytes = Array(text.utf8)
  let place = "{\n  \"crc32\" : \"".utf8.count
  bytes.replaceSubrange(place..<place + 8, with: "00000000".utf8)
  bytes.replaceSubrange(place..<place + 8, with: checksum(of: bytes).utf8)
  return bytes
}

/// The same of a changed value.
func sealed(_ state: JSONValue) throws -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
  let body = String(decoding: try encoder.encode(state).dropFirst(), as: UTF8.self)
  return sealed("{\n  \"crc32\" : \"00000000\",\n" + body)
}

/// CRC-32 by table, made as its definition has it, as eight hexadecimal digits.
func checksum(of bytes: [UInt8]) -> String {
  var checksum = UInt32.max
  for byte in bytes {
    checksum = checksum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: checksum) ^ byte)]
  }
  let digits = String(~checksum, radix: 16)
  return String(repeating: "0", count: 8 - digits.count) + digits
}

private let table = (0..<256).map { byte -> UInt32 in
  (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
}
