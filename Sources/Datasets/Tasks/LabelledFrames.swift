internal import Glibc
internal import LinearAlgebra
public import Sequences

/// The class of a noisy trajectory; the target is at its end.
///
/// A frame has `width` numbers. In class k number j is sin(ω t s + φ) plus `noise` times a normal
/// number. ω in [0.2, 0.6) and φ depend on the class and j only; the speed s, U[0.9, 1.1), depends
/// on the sequence. All lengths are equally likely. Single frames of all classes look alike; only
/// their course shows the class.
public struct LabelledFrames: GeneratedTask {
  public static let summary = "the class of a noisy trajectory of real-valued frames, at the end"
  public static let source = "sines of a class's own frequencies"

  public var classes, width: Int
  public var length: ClosedRange<Int>
  public var noise: Double
  /// The frequency and phase of each number of each class.
  private let waves: [[(frequency: Double, phase: Double)]]

  public init(
    classes: Int = 5, width: Int = 8, length: ClosedRange<Int> = 20...30, noise: Double = 0.5
  ) {
    precondition(classes > 1 && width > 0, "\(classes) classes of frames of \(width)")
    self.classes = classes
    self.width = width
    self.length = length
    self.noise = noise
    waves = (0..<classes).map { number in
      (0..<width).map {
        var draw = Draw.fixed("waves", number, $0)
        return (draw.uniform(0.2..<0.6), draw.uniform(0..<2 * .pi))
      }
    }
  }

  private enum Key: String, CodingKey { case classes, width, length, noise }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    self.init(
      classes: try keys.count(.classes, default: 5, in: 2...1_000),
      width: try keys.count(.width, default: 8, in: 1...10_000),
      length: try keys.lengths(.length, default: 20...30),
      noise: try keys.amount(.noise, default: 0.5))
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(classes, forKey: .classes)
    try keys.encode(width, forKey: .width)
    try keys.encode([length.lowerBound, length.upperBound], forKey: .length)
    try keys.encode(noise, forKey: .noise)
  }

  public static func == (a: LabelledFrames, b: LabelledFrames) -> Bool {
    (a.classes, a.width, a.length, a.noise) == (b.classes, b.width, b.length, b.noise)
  }

  public var inputs: [String] { [] }
  public var outputs: [String] { (0..<classes).map(String.init) }
  public var widths: Batch.Widths { Batch.Widths(features: width) }
  public var asksOnce: Bool { true }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { length }
  public func steps(_ part: TaskPart, _ draw: inout Draw) -> Int { draw.number(in: length) }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let steps = steps(part, &draw)
    let number = draw.number(below: classes)
    let speed = draw.uniform(0.9..<1.1)
    var example = Example()
    example.frames.reserveCapacity(steps * width)
    for t in 0..<steps {
      for wave in waves[number] {
        let clean = sin(wave.frequency * speed * Double(t) + wave.phase)
        example.frames.append(Real(clean + noise * draw.normal()))
      }
    }
    example.ask(once: number, steps: steps)
    return example
  }
}
