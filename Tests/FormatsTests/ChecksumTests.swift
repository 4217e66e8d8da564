import Formats
import Testing

@Suite struct Checksums {
  /// The check value of both polynomials is that of the digits 1 to 9.
  @Test func `have the published check values`() {
    let digits = Array("123456789".utf8)
    #expect(checksum(digits) == 0xCBF4_3926)
    #expect(castagnoli(digits) == 0xE306_9283)
    #expect(checksum([]) == 0 && castagnoli([]) == 0)
    // RFC 3720, B.4: 32 zeros, and 32 ones.
    #expect(castagnoli(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(castagnoli(Array(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
  }
}
