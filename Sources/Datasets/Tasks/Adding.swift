internal import LinearAlgebra
public import Sequences

/// The sum of two marked numbers of a long sequence of numbers; the target is at its end.
///
/// A step reads a number and a marker. `plain`: `length` steps, numbers U[0, 1), one marker 1 in
/// each half and 0 elsewhere, target X₁ + X₂. The constant prediction 1 has a mean squared error of
/// 1/6 (Le, Jaitly & Hinton 2015).
///
/// `hochreiter`: `length` to `length` + ⌊`length`/10⌋ steps, numbers U[−1, 1). Markers are −1 at
/// the first and the last step, 1 at one of the first ten steps and at one of the first `length`/2
/// − 1 other steps. The target is 0.5 + (X₁ + X₂)/4. If the first step is marked as a summand, its
/// marker stays −1 and its number counts as 0. The constant prediction 0.5 has an error of 1/24
/// (Hochreiter & Schmidhuber 1997, experiment 4).
public struct Adding: GeneratedTask {
  public static let summary = "the sum of the two marked numbers, at the end"
  public static let source = "Hochreiter & Schmidhuber 1997; plain: Le, Jaitly & Hinton 2015"

  public enum Form: String, Codable, Sendable, CaseIterable { case plain, hochreiter }

  public var length: Int
  public var form: Form

  public init(length: Int = 100, form: Form = .plain) {
    self.length = length
    self.form = form
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    form = try keys.choice(.form, default: .plain)
    length = try keys.count(
      .length, default: 100, in: (form == .plain ? 2 : 22)...largestLength)
  }

  public var inputs: [String] { [] }
  public var outputs: [String] { [] }
  public var widths: Batch.Widths { Batch.Widths(features: 2, values: 1) }
  public var asksOnce: Bool { true }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    length...(form == .plain ? length : length + length / 10)
  }

  public func steps(_ part: TaskPart, _ draw: inout Draw) -> Int { draw.number(in: lengths(part)) }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let steps = steps(part, &draw)
    switch form {
    case .plain:
      let marked = (
        draw.number(below: steps / 2), draw.number(in: steps / 2...steps - 1)
      )
      let pairs = MarkedNumbers(steps, 0..<1, marked, &draw)
      return pairs.example(Double(pairs.first) + Double(pairs.second))
    case .hochreiter:
      var pairs = MarkedNumbers(hochreiter: steps, length, -1..<1, &draw)
      let (a, b) = pairs.markEnds(countingFirstAs: 0)
      return pairs.example(0.5 + (a + b) / 4)
    }
  }
}

/// A sequence of numbers, two of which are marked.
struct MarkedNumbers {
  private var frames: [Real]
  private let marked: (Int, Int)

  init(_ steps: Int, _ range: Range<Double>, _ marked: (Int, Int), _ draw: inout Draw) {
    frames = []
    frames.reserveCapacity(2 * steps)
    for t in 0..<steps {
      frames.append(Real(draw.uniform(range)))
      frames.append(t == marked.0 || t == marked.1 ? 1 : 0)
    }
    self.marked = marked
  }

  /// Marks one of the first ten steps and one of the first `length`/2 − 1 other steps.
  init(hochreiter steps: Int, _ length: Int, _ range: Range<Double>, _ draw: inout Draw) {
    let first = draw.number(below: 10)
    let other = draw.number(below: length / 2 - 1)
    self.init(steps, range, (first, other < first ? other : other + 1), &draw)
  }

  /// The two marked numbers.
  var first: Real { frames[2 * marked.0] }
  var second: Real { frames[2 * marked.1] }

  /// Marks the first and the last step with −1 and returns the two marked numbers. If one is at the
  /// first step, `other` replaces it.
  mutating func markEnds(countingFirstAs other: Double) -> (Double, Double) {
    frames[1] = -1
    frames[frames.count - 1] = -1
    return (marked.0 == 0 ? other : Double(first), marked.1 == 0 ? other : Double(second))
  }

  func example(_ answer: Double) -> Example {
    var example = Example()
    example.frames = frames
    example.ask(once: [Real(answer)], steps: frames.count / 2)
    return example
  }
}

extension Example {
  /// Sets numbers as the only target, at the last of `steps` steps.
  mutating func ask(once answer: [Real], steps: Int) {
    targets = Array(repeating: Batch.noTarget, count: steps - 1) + [0]
    values = Array(repeating: 0, count: (steps - 1) * answer.count) + answer
  }

  /// Sets a symbol as the only target, at the last of `steps` steps.
  mutating func ask(once answer: Int, steps: Int) {
    targets = Array(repeating: Batch.noTarget, count: steps - 1) + [Int32(answer)]
  }
}
