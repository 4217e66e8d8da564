internal import Glibc
public import Sequences

/// The next symbol of texts of several classes. Each class is a Markov chain, and the class is the
/// condition.
///
/// The condition of a sequence is one of `classes` as a one-hot vector. The inputs are `<s>` and
/// the text's letters, the targets are the letters and `</s>`. In each class every letter is
/// followed by a letter with odds e^(2.5 n), n normal. The chains depend only on the number of
/// classes and letters, so every seed has the same language. All lengths are equally likely.
public struct ConditionedText: GeneratedTask {
  public static let summary = "the next symbol of a text whose class is given as a vector"
  public static let source = "a Markov chain for each class"

  public var classes, letters: Int
  public var length: ClosedRange<Int>
  /// The probability of each letter at the start and after each letter, for each class.
  private let chains: [[[Double]]]

  public init(classes: Int = 4, letters: Int = 8, length: ClosedRange<Int> = 15...25) {
    precondition(
      classes > 1 && (2...26).contains(letters), "\(classes) classes, \(letters) letters")
    self.classes = classes
    self.letters = letters
    self.length = length
    chains = Self.chains(classes, letters)
  }

  private enum Key: String, CodingKey { case classes, letters, length }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    self.init(
      classes: try keys.count(.classes, default: 4, in: 2...1_000),
      letters: try keys.count(.letters, default: 8, in: 2...26),
      length: try keys.lengths(.length, default: 15...25))
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(classes, forKey: .classes)
    try keys.encode(letters, forKey: .letters)
    try keys.encode([length.lowerBound, length.upperBound], forKey: .length)
  }

  private static func chains(_ classes: Int, _ letters: Int) -> [[[Double]]] {
    (0..<classes).map { number in
      (0...letters).map { letter in
        var draw = Draw.fixed("chains of \(letters) letters", number, letter)
        let odds = (0..<letters).map { _ in exp(2.5 * draw.normal()) }
        let sum = odds.reduce(0, +)
        return odds.map { $0 / sum }
      }
    }
  }

  public var inputs: [String] {
    (0..<letters).map { String(Unicode.Scalar(UInt8(97 + $0))) } + ["<s>", "</s>"]
  }
  public var outputs: [String] { inputs }
  public var ends: TaskSignature.Ends? {
    TaskSignature.Ends(symbol: letters + 1, longest: length.upperBound)
  }
  public var widths: Batch.Widths { Batch.Widths(condition: classes) }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    length.lowerBound + 1...length.upperBound + 1
  }
  public func steps(_ part: TaskPart, _ draw: inout Draw) -> Int { draw.number(in: lengths(part)) }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let steps = steps(part, &draw)
    let number = draw.number(below: classes)
    var text: [Int32] = []
    for _ in 1..<steps {
      let chances = chains[number][text.last.map { Int($0) } ?? letters]
      var rest = draw.uniform()
      var letter = 0
      while letter < letters - 1, rest >= chances[letter] {
        rest -= chances[letter]
        letter += 1
      }
      text.append(Int32(letter))
    }
    var example = Example()
    example.inputs = [Int32(letters)] + text
    example.targets = text + [Int32(letters + 1)]
    example.condition = (0..<classes).map { $0 == number ? 1 : 0 }
    return example
  }

  /// Returns the class under which a text is likeliest; symbols that are not letters are ignored.
  public func likeliestClass(of text: some Sequence<Int32>) -> Int {
    let text = text.filter { (0..<Int32(letters)).contains($0) }.map { Int($0) }
    let likelihoods = chains.map { chain in
      zip([letters] + text, text).reduce(0) { $0 + log(chain[$1.0][$1.1]) }
    }
    return likelihoods.indices.max { likelihoods[$0] < likelihoods[$1] } ?? 0
  }
}
