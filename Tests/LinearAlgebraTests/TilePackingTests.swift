import CTiles
import LinearAlgebra
import Testing

/// The packed operands of `CTiles`, on any processor with AVX-512; the products themselves need AMX.
@Suite(.enabled(if: tiles_can_be_packed(), "no AVX-512"))
struct `Factors in tiles` {
  struct Factor: CustomTestStringConvertible {
    let lines: Int, depth: Int
    let linesAreContiguous: Bool
    let side: tiles_side

    var testDescription: String {
      "\(lines) × \(depth), \(linesAreContiguous ? "lines" : "depth") contiguous, "
        + (side == TILES_LEFT ? "left" : "right")
    }

    static let all = [(16, 32), (1, 1), (33, 70), (15, 31), (17, 33), (48, 64)].flatMap { size in
      [false, true].flatMap { linesAreContiguous in
        [TILES_LEFT, TILES_RIGHT].map {
          Factor(
            lines: size.0, depth: size.1, linesAreContiguous: linesAreContiguous, side: $0)
        }
      }
    }
  }

  /// Round to nearest, ties to even, by its definition: of the two neighbours the nearer one.
  private func rounded(_ x: Float) -> UInt16 {
    let below = UInt16(x.bitPattern >> 16)
    let rest = x.bitPattern & 0xFFFF
    if x.isNaN { return below | 0x40 }
    return rest > 0x8000 || (rest == 0x8000 && below & 1 == 1) ? below + 1 : below
  }

  @Test(arguments: Factor.all) func `hold pairs of numbers by line, and zeros beyond them`(
    _ factor: Factor
  ) {
    let (rows, columns) =
      factor.linesAreContiguous ? (factor.depth, factor.lines) : (factor.lines, factor.depth)
    let stride = columns + 3
    let random = Philox(key: 3)
    // What lies between the rows and behind the last must not be read as numbers of the factor.
    var numbers = [Float](repeating: .nan, count: rows * stride)
    for i in 0..<rows {
      for j in 0..<columns {
        numbers[i * stride + j] = Float(random.uniform(UInt64(i * columns + j)) - 0.5)
      }
    }
    // A tie each way, the ends of the range, and what is no number.
    let special: [Float] = [
      Float(bitPattern: 0x3F80_8000), Float(bitPattern: 0x3F81_8000), .infinity, -.infinity, -0.0,
      .nan, Float(bitPattern: 0x7F80_0001), .greatestFiniteMagnitude, .leastNonzeroMagnitude,
    ]
    for (j, number) in special.enumerated() where j < columns { numbers[j] = number }

    let size = tiles_bytes(factor.lines, factor.depth) / MemoryLayout<UInt16>.size
    let packed = UnsafeMutableRawBufferPointer.allocate(
      byteCount: size * MemoryLayout<UInt16>.size, alignment: 64)
    defer { packed.deallocate() }
    packed.initializeMemory(as: UInt16.self, repeating: 0xDEAD)
    tiles_pack(
      numbers, stride, factor.linesAreContiguous, factor.lines, factor.depth, factor.side,
      packed.baseAddress!)

    let deep = (factor.depth + 31) / 32
    let high = (factor.lines + 15) / 16
    #expect(size == deep * high * 512)
    var seen = 0
    for line in 0..<high * 16 {
      for at in 0..<deep * 32 {
        let tile = (line / 16 * deep + at / 32) * 512
        let (pair, half) = (at % 32 / 2, at % 2)
        let place =
          factor.side == TILES_LEFT
          ? tile + line % 16 * 32 + 2 * pair + half : tile + pair * 32 + 2 * (line % 16) + half
        var expected: UInt16 = 0
        if line < factor.lines, at < factor.depth {
          let number =
            factor.linesAreContiguous ? numbers[at * stride + line] : numbers[line * stride + at]
          expected = rounded(number)
        }
        if packed.load(fromByteOffset: 2 * place, as: UInt16.self) == expected { seen += 1 }
      }
    }
    #expect(seen == size)
  }
}
