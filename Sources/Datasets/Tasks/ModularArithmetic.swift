/// The value of an expression without brackets modulo a number; the target is at its end.
///
/// Numbers from 0 to `modulus` − 1 stand between the signs +, − and ×, as in `2 - 3 × 4 + 1 =`. All numbers and
/// signs are equally likely, and × comes before + and −. The length of an expression is that of its numbers and
/// signs, an odd number, and all odd lengths of the range are equally likely; = follows. Delétang et al. 2023.
public struct ModularArithmetic: GeneratedTask {
  public static let summary = "the value of an expression without brackets modulo 5, at the end"
  public static let source = "Delétang 2023"

  public var modulus: Int
  public var trainLength, testLength: ClosedRange<Int>

  public init(
    modulus: Int = 5, trainLength: ClosedRange<Int> = 3...39,
    testLength: ClosedRange<Int> = 41...255
  ) {
    precondition(modulus >= 2, "numbers modulo \(modulus)")
    self.modulus = modulus
    self.trainLength = trainLength
    self.testLength = testLength
  }

  private enum Key: String, CodingKey {
    case modulus
    case trainLength = "train_length"
    case testLength = "test_length"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    modulus = try keys.count(.modulus, default: 5, in: 2...1000)
    trainLength = try keys.lengths(.trainLength, default: 3...39)
    testLength = try keys.lengths(.testLength, default: 41...255)
    for (key, lengths) in [(Key.trainLength, trainLength), (.testLength, testLength)]
    where Self.odd(lengths).isEmpty {
      throw keys.refusal(key, "\(key.rawValue) must have an odd number, such as [3, 39]")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(modulus, forKey: .modulus)
    try keys.encode([trainLength.lowerBound, trainLength.upperBound], forKey: .trainLength)
    try keys.encode([testLength.lowerBound, testLength.upperBound], forKey: .testLength)
  }

  public var inputs: [String] { (0..<modulus).map { "\($0)" } + ["+", "-", "×", "="] }
  public var outputs: [String] { (0..<modulus).map { "\($0)" } }
  public var asksOnce: Bool { true }

  /// Returns the odd lengths of a range, halved and rounded down.
  private static func odd(_ lengths: ClosedRange<Int>) -> Range<Int> {
    lengths.lowerBound / 2..<(lengths.upperBound + 1) / 2
  }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    let odd = Self.odd(part == .test ? testLength : trainLength)
    return 2 * odd.lowerBound + 2...2 * odd.upperBound
  }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let odd = Self.odd(part == .test ? testLength : trainLength)
    let signs = odd.lowerBound + draw.number(below: odd.count)
    var example = Example()
    var factor = draw.number(below: modulus)
    // The value is `sum` + `sign` · `factor`.
    var (sum, sign) = (0, 1)
    example.inputs.append(Int32(factor))
    for _ in 0..<signs {
      let (operation, number) = (draw.number(below: 3), draw.number(below: modulus))
      example.inputs += [Int32(modulus + operation), Int32(number)]
      if operation == 2 {
        factor = factor * number % modulus
      } else {
        sum += sign * factor
        (sign, factor) = (operation == 0 ? 1 : -1, number)
      }
    }
    example.inputs.append(Int32(modulus + 3))
    let value = (sum + sign * factor) % modulus
    example.ask(once: value < 0 ? value + modulus : value, steps: example.inputs.count)
    return example
  }
}
