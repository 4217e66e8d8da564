internal import Glibc
internal import LinearAlgebra
public import Sequences

/// Artificial speech: a string of digits from noisy frames of numbers.
///
/// The frames are the source; the targets are the digits, one by one, and `</s>`. In digit k number
/// j of a frame is sin(2π f u + φ) plus `noise` times a normal number. f in [0.25, 1.25) and φ
/// depend on the digit and j only; u goes from 0 to 1 over the frames of the digit. The number of
/// frames of a digit and the number of digits are uniform. Nothing marks where a digit ends and the
/// next begins.
public struct SpokenDigits: GeneratedTask {
  public static let summary =
    "a string of digits from noisy frames of numbers, which an encoder reads"
  public static let source = "sines of a digit's own frequencies, for as long as it is spoken"

  /// The number of digits of a string, and of frames per digit.
  public var length, frames: ClosedRange<Int>
  public var width: Int
  public var noise: Double
  /// The frequency and phase of each number of each digit.
  private let waves: [[(frequency: Double, phase: Double)]]
  private static let digits = 10

  public init(
    length: ClosedRange<Int> = 2...5, frames: ClosedRange<Int> = 4...8, width: Int = 8,
    noise: Double = 0.3
  ) {
    precondition(width > 0, "frames of \(width)")
    self.length = length
    self.frames = frames
    self.width = width
    self.noise = noise
    waves = (0..<Self.digits).map { digit in
      (0..<width).map {
        var draw = Draw.fixed("spoken digits", digit, $0)
        return (draw.uniform(0.25..<1.25), draw.uniform(0..<2 * .pi))
      }
    }
  }

  private enum Key: String, CodingKey { case length, frames, width, noise }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    self.init(
      length: try keys.lengths(.length, default: 2...5),
      frames: try keys.lengths(.frames, default: 4...8),
      width: try keys.count(.width, default: 8, in: 1...10_000),
      noise: try keys.amount(.noise, default: 0.3))
    guard length.upperBound * frames.upperBound <= largestLength else {
      throw keys.refusal(.frames, "a string may have at most \(largestLength) frames: give fewer")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode([length.lowerBound, length.upperBound], forKey: .length)
    try keys.encode([frames.lowerBound, frames.upperBound], forKey: .frames)
    try keys.encode(width, forKey: .width)
    try keys.encode(noise, forKey: .noise)
  }

  public static func == (a: SpokenDigits, b: SpokenDigits) -> Bool {
    (a.length, a.frames, a.width, a.noise) == (b.length, b.frames, b.width, b.noise)
  }

  public var inputs: [String] { (0..<Self.digits).map(String.init) + ["<s>", "</s>"] }
  public var outputs: [String] { inputs }
  public var ends: TaskSignature.Ends? {
    TaskSignature.Ends(symbol: Self.digits + 1, longest: length.upperBound)
  }
  public var sourceWidth: Int { width }
  public var longestSource: Int { length.upperBound * frames.upperBound }
  public var isEven: Bool { length.count == 1 && frames.count == 1 }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    length.lowerBound + 1...length.upperBound + 1
  }
  public func steps(_ part: TaskPart, _ draw: inout Draw) -> Int { size(part, &draw).steps }
  public func size(_ part: TaskPart, _ draw: inout Draw) -> (steps: Int, source: Int) {
    let spoken = spoken(&draw)
    return (spoken.count + 1, spoken.reduce(0) { $0 + $1.frames })
  }

  private func spoken(_ draw: inout Draw) -> [(digit: Int, frames: Int)] {
    (0..<draw.number(in: length)).map { _ in
      (draw.number(below: Self.digits), draw.number(in: frames))
    }
  }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let spoken = spoken(&draw)
    var numbers: [Real] = []
    for (digit, count) in spoken {
      for t in 0..<count {
        let u = count > 1 ? Double(t) / Double(count - 1) : 0.5
        for wave in waves[digit] {
          let clean = sin(2 * .pi * wave.frequency * u + wave.phase)
          numbers.append(Real(clean + noise * draw.normal()))
        }
      }
    }
    var example = Example()
    example.sourceFrames = Frames(width: width, numbers: numbers)
    example.inputs = [Int32(Self.digits)] + spoken.map { Int32($0.digit) }
    example.targets = spoken.map { Int32($0.digit) } + [Int32(Self.digits + 1)]
    return example
  }
}
