internal import Sequences

/// Symbols to be repeated that lie at random places among blanks.
///
/// The inputs are `length` steps, of which `symbols` at random places are letters and the others blanks, and as
/// many colons as letters. The targets are the letters in their order, one at each colon; the other steps have no
/// target. Unlike in `copy`, the times between letters differ from example to example, so that a network has to
/// choose what it remembers. Gu & Dao 2024, who have 16 letters of an alphabet of 16 among 4096 steps.
public struct SelectiveCopying: GeneratedTask {
  public static let summary = "the symbols among blanks, again at the end"
  public static let source = "Gu & Dao 2024"

  public var symbols, alphabet, length: Int

  public init(symbols: Int = 16, alphabet: Int = 16, length: Int = 256) {
    precondition(symbols <= length && symbols > 0, "\(symbols) symbols in \(length) steps")
    precondition((2...26).contains(alphabet), "an alphabet of \(alphabet)")
    self.symbols = symbols
    self.alphabet = alphabet
    self.length = length
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    symbols = try keys.count(.symbols, default: 16, in: 1...largestLength)
    alphabet = try keys.count(.alphabet, default: 16, in: 2...26)
    length = try keys.count(.length, default: 256, in: 1...largestLength)
    guard symbols <= length else {
      throw keys.refusal(.length, "length must be at least the number of symbols (\(symbols))")
    }
  }

  public var outputs: [String] {
    (0..<alphabet).map { String(UnicodeScalar(UInt8(97 + $0))) }
  }
  public var inputs: [String] { outputs + ["_", ":"] }
  public var asksOnce: Bool { symbols == 1 }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { length + symbols...length + symbols }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    var example = Example()
    var letters: [Int32] = []
    for step in 0..<length {
      // Every choice of places is equally likely.
      if draw.number(below: length - step) < symbols - letters.count {
        letters.append(Int32(draw.number(below: alphabet)))
        example.inputs.append(letters.last!)
      } else {
        example.inputs.append(Int32(alphabet))
      }
    }
    example.inputs += Array(repeating: Int32(alphabet + 1), count: symbols)
    example.targets = Array(repeating: Batch.noTarget, count: length) + letters
    return example
  }
}
