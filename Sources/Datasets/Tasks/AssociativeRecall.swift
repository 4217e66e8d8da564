internal import LinearAlgebra
internal import Sequences

/// Pairs of a key and a value, and questions for the values of keys: multi-query associative recall.
///
/// The first half of the symbols are keys, the second half values. An example begins with some pairs of different
/// keys, and the rest is random symbols, in which every key comes once more; there, its value is the target, and
/// no other step has one. One key comes at the last step. The others come at random among the steps an even
/// number before it, a step that lies j places behind the pairs with a weight of j^(−0.99). Arora et al. 2024.
public struct AssociativeRecall: GeneratedTask {
  public static let summary = "the values of keys that were read in pairs before"
  public static let source = "Arora 2024"

  public var alphabet, length: Int
  public var pairs: ClosedRange<Int>

  public init(alphabet: Int = 256, length: Int = 64, pairs: ClosedRange<Int> = 4...8) {
    precondition(
      4 * pairs.upperBound <= length && 2 * pairs.upperBound <= alphabet,
      "\(pairs) pairs of \(alphabet) symbols in \(length) steps")
    self.alphabet = alphabet
    self.length = length
    self.pairs = pairs
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    alphabet = try keys.count(.alphabet, default: 256, in: 4...1 << 20)
    length = try keys.count(.length, default: 64, in: 4...largestLength)
    pairs = try keys.lengths(.pairs, default: 4...8)
    guard 4 * pairs.upperBound <= length else {
      throw keys.refusal(.length, "length must be at least four times the pairs")
    }
    guard 2 * pairs.upperBound <= alphabet else {
      throw keys.refusal(.alphabet, "alphabet must be at least twice the pairs")
    }
  }

  private enum CodingKeys: CodingKey { case alphabet, length, pairs }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(alphabet, forKey: .alphabet)
    try keys.encode(length, forKey: .length)
    try keys.encode([pairs.lowerBound, pairs.upperBound], forKey: .pairs)
  }

  private var keyCount: Int { alphabet / 2 }

  public var inputs: [String] {
    (0..<keyCount).map { "k\($0)" } + (0..<alphabet - keyCount).map { "v\($0)" }
  }
  public var outputs: [String] { inputs }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { length...length }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let count = draw.number(in: pairs)
    var example = Example()
    var known: Set<Int> = []
    while known.count < count {
      let key = draw.number(below: keyCount)
      guard known.insert(key).inserted else { continue }
      example.inputs.append(Int32(key))
      example.inputs.append(Int32(keyCount + draw.number(below: alphabet - keyCount)))
    }
    example.targets = Array(repeating: Batch.noTarget, count: length)
    while example.inputs.count < length {
      example.inputs.append(Int32(draw.number(below: alphabet)))
    }
    // Pairs in random order, the last of them at the last step.
    var order = Array(0..<count)
    for k in (1..<max(count, 2)).reversed() where count > 1 {
      order.swapAt(k, draw.number(below: k + 1))
    }
    var steps = Array(Swift.stride(from: length - 1, to: 2 * count - 1, by: -2))
    var asked = [steps.removeFirst()]
    while asked.count < count {
      asked.append(steps.remove(at: choice(of: steps, behind: 2 * count, &draw)))
    }
    for (pair, step) in zip(order, asked) {
      example.inputs[step] = example.inputs[2 * pair]
      example.targets[step] = example.inputs[2 * pair + 1]
    }
    return example
  }

  /// Chooses one of some steps, the nearer to the pairs the likelier.
  private func choice(of steps: [Int], behind first: Int, _ draw: inout Draw) -> Int {
    let weights = steps.map { power(Double(($0 - first) / 2 + 1), -0.99) }
    var rest = draw.uniform() * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      rest -= weight
      if rest < 0 { return index }
    }
    return steps.count - 1
  }
}
