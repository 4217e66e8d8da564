public import Sequences

/// The product of two marked numbers of a long sequence; the target is at its end.
///
/// `length` to `length` + ⌊`length`/10⌋ steps, each a number U[0, 1) and a marker: −1 at the first
/// and the last step, 1 at one of the first ten steps and at one of the first `length`/2 − 1 other
/// steps, else 0. The target is X₁ X₂. If the first step is marked as a factor, its marker stays −1
/// and its number counts as 1. The constant prediction 1/4 has an error of 7/144. Hochreiter &
/// Schmidhuber 1997, experiment 5.
public struct Multiplication: GeneratedTask {
  public static let summary = "the product of the two marked numbers, at the end"
  public static let source = "Hochreiter & Schmidhuber 1997"

  public var length: Int

  public init(length: Int = 100) { self.length = length }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    length = try keys.count(.length, default: 100, in: 22...largestLength)
  }

  public var inputs: [String] { [] }
  public var outputs: [String] { [] }
  public var widths: Batch.Widths { Batch.Widths(features: 2, values: 1) }
  public var asksOnce: Bool { true }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { length...length + length / 10 }
  public func steps(_ part: TaskPart, _ draw: inout Draw) -> Int { draw.number(in: lengths(part)) }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    var pairs = MarkedNumbers(hochreiter: steps(part, &draw), length, 0..<1, &draw)
    let (a, b) = pairs.markEnds(countingFirstAs: 1)
    return pairs.example(a * b)
  }
}
