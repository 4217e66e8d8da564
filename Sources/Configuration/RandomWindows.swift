internal import LinearAlgebra

/// Windows of a running text of random lengths: `random_bptt: {short: 0.05, deviation: 5, shortest: 5}`.
///
/// With windows of one length, every symbol of a stream is at the same place of its window in every
/// epoch, and the gradient never passes between the last symbol of a window and the first of the next
/// (Merity, Keskar & Socher 2017). The length of a window is
///
///     b = bptt, or bptt/2 with the probability `short`
///     length = max(shortest, ⌊b + deviation · z⌋), at most bptt + 4 deviations,   z ~ N(0, 1)
///
/// and the learning rate of its step is multiplied by length / bptt. It is a function of the seed and
/// the step.
public struct RandomWindows: Codable, Equatable, Sendable {
  /// The probability of a window of about half the length.
  public var short = 0.05
  /// The standard deviation of the length, in steps.
  public var deviation = 5.0
  /// The least length.
  public var shortest = 5

  enum CodingKeys: String, CodingKey {
    case short, deviation, shortest
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    short = try container.decode(.short, default: short)
    deviation = try container.decode(.deviation, default: deviation)
    shortest = try container.decode(.shortest, default: shortest, from: 1...largestCount)
    try container.require(
      (0...1).contains(short), .short, "short is a probability: write a number from 0 to 1")
    try container.require(
      deviation > 0 && deviation <= 1e6, .deviation,
      "deviation is a number of steps: write one above 0, or remove random_bptt")
  }
}

extension RandomWindows {
  /// Returns the most steps of a window.
  package func most(bptt: Int) -> Int { bptt + Int((4 * deviation).rounded(.up)) }

  /// Returns the steps of the window that is read at a step, if so many are left.
  package func length(step: Int, bptt: Int, seed: UInt64) -> Int {
    length(step, bptt, Draws(seed))
  }

  /// The random numbers of a seed.
  private struct Draws {
    let short, noise: Philox

    init(_ seed: UInt64) {
      short = Philox(seed: seed, name: "short windows")
      noise = Philox(seed: seed, name: "window lengths")
    }
  }

  private func length(_ step: Int, _ bptt: Int, _ draws: Draws) -> Int {
    let isShort = draws.short.fineUniform(UInt64(step)) < short
    let base = isShort ? Double(bptt) / 2 : Double(bptt)
    let noise = draws.noise.normal(UInt64(step))
    let length = (base + deviation * noise).rounded(.towardZero)
    return min(max(Int(length), shortest), most(bptt: bptt))
  }

  /// Returns the number of steps that some epochs take; of runs of tens of millions of steps, the rest
  /// is estimated from those.
  /// - Parameters:
  ///   - epochs: The whole epochs.
  ///   - rest: The steps of every stream in a last epoch, of which only these are read; 0 for none.
  ///   - length: The steps of an epoch, in the sense of a window's.
  ///   - most: The number of steps that are counted.
  package func steps(
    epochs: Int, rest: Int = 0, length: Int, bptt: Int, seed: UInt64,
    counting most: Int = 1 << 24
  ) -> Int {
    let draws = Draws(seed)
    var (step, epoch, place) = (0, 0, 0)
    func isDone() -> Bool { epoch > epochs || epoch == epochs && place >= rest }
    while !isDone(), step < most {
      place += self.length(step, bptt, draws)
      step += 1
      if place >= length { (epoch, place) = (epoch + 1, 0) }
    }
    if isDone() { return step }
    let done = Double(epoch) + Double(place) / Double(length)
    let steps = Double(step) / done * (Double(epochs) + Double(rest) / Double(length))
    return steps < 0x1p62 ? Int(steps) : .max
  }
}
