/// A batch that grows over the first steps: `ramp: {of: streams, from: 4, steps: 1000}`.
///
/// Of a running text, small batches at first learn from more updates per symbol. With `streams`, every
/// window of all streams is read in several updates, each of some of the streams, until the last ones take
/// all of them; every stream keeps its state and is read once an epoch. With `bptt`, windows are shorter at
/// first (sequence-length warm-up; Li, Zhang & He 2022).
public struct BatchRamp: Codable, Equatable, Sendable {
  /// The size that grows.
  public enum Size: String, Codable, CaseIterable, Sendable {
    /// The streams of an update, up to `batch_size`.
    case streams
    /// The steps of a window, up to `bptt`.
    case bptt
  }

  public var of = Size.streams
  /// The size at the first step.
  public var from = 1
  /// The number of steps after which the size is reached.
  public var steps = 1000

  enum CodingKeys: String, CodingKey {
    case of, from, steps
  }

  public init(of: Size = .streams, from: Int, steps: Int) {
    (self.of, self.from, self.steps) = (of, from, steps)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    of = try container.decode(.of, default: of)
    from = try container.decode(.from, default: from, from: 1...largestCount)
    steps = try container.decode(.steps, default: steps, from: 1...largestCount)
  }
}

extension BatchRamp {
  /// Returns the size at a step: from + ⌊(to − from) · step/steps⌋, and `to` from then on.
  package func size(step: Int, to: Int) -> Int {
    step >= steps ? to : from + Int(Double(to - from) * Double(step) / Double(steps))
  }

  /// Returns the number of updates in which a window that begins at a step is read.
  package func updates(step: Int, batchSize: Int) -> Int {
    guard of == .streams else { return 1 }
    let size = size(step: step, to: batchSize)
    return (batchSize + size - 1) / size
  }

  /// Returns the most steps of a window at a step; nil for all.
  package func windowSteps(step: Int, bptt: Int) -> Int? {
    of == .bptt && step < steps ? size(step: step, to: bptt) : nil
  }

  /// Returns the number of steps that some epochs take.
  /// - Parameters:
  ///   - epochs: The whole epochs.
  ///   - rest: The steps of every stream in a last epoch, of which only these are read; 0 for none.
  ///   - windows: The windows of an epoch without a ramp.
  ///   - length: The steps of an epoch, in the sense of a window's.
  package func steps(
    epochs: Int, rest: Int = 0, windows: Int, length: Int, batchSize: Int, bptt: Int
  ) -> Int {
    var (step, epoch, place) = (0, 0, 0)
    while step < steps && (epoch < epochs || epoch == epochs && place < rest) {
      switch of {
      case .streams:
        step += updates(step: step, batchSize: batchSize)
        place += min(bptt, length - place)
      case .bptt:
        place += min(size(step: step, to: bptt), length - place)
        step += 1
      }
      if place == length { (epoch, place) = (epoch + 1, 0) }
    }
    func windowCount(_ steps: Int) -> Int { (max(steps, 0) + bptt - 1) / bptt }
    guard epoch < epochs else { return step + (epoch > epochs ? 0 : windowCount(rest - place)) }
    // The rest of this epoch, the epochs after it, and the part of one.
    if place > 0 { (step, epoch) = (step + windowCount(length - place), epoch + 1) }
    let (whole, overflows) = (epochs - epoch).multipliedReportingOverflow(by: windows)
    let (sum, isLarge) = (step + windowCount(rest)).addingReportingOverflow(whole)
    return overflows || isLarge ? .max : sum
  }
}
