internal import FoundationEssentials
internal import LinearAlgebra

/// A part of a generated task. Example i depends on the seed, the part, the epoch and i.
public struct GeneratedExamples: ExampleSet {
  public let task: any GeneratedTask
  public let part: TaskPart
  public let name: String
  public let count: Int
  public let hash: UInt64
  public let shape: ExampleShape
  public let longest: (steps: Int, source: Int)
  private let random: Philox

  init(_ task: any GeneratedTask, name: String, part: TaskPart, count: Int, seed: UInt64) {
    self.task = task
    self.part = part
    self.name = part == .train ? "the task \(name)" : "the \(part)-set of the task \(name)"
    self.count = count
    random = Philox(seed: seed, name: "task \(name), \(part)")
    let lengths = task.lengths(part)
    longest = (lengths.upperBound, task.longestSource)
    shape = ExampleShape(
      widths: task.widths, hasSource: task.sourceWidth > 0, sourceWidth: task.sourceWidth,
      isEven: lengths.count == 1 && (task.sourceWidth == 0 || task.isEven))
    var fingerprint = Fingerprint()
    fingerprint.add(name)
    fingerprint.add(part.rawValue)
    fingerprint.add(count)
    fingerprint.add(seed)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    guard let options = try? encoder.encode(task) else {
      preconditionFailure("names and numbers cannot fail to be encoded")
    }
    for byte in options { fingerprint.add(byte) }
    hash = fingerprint.value
  }

  /// True for training, which has new examples in every epoch; the other parts stay the same.
  public var isFresh: Bool { part == .train }
  public var isGenerated: Bool { true }

  public func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    var draw = draw(index, epoch)
    return task.size(part, &draw)
  }

  public func example(_ index: Int, epoch: Int) -> Example {
    var draw = draw(index, epoch)
    return task.example(part, &draw)
  }

  private func draw(_ index: Int, _ epoch: Int) -> Draw {
    Draw(random, index: index, epoch: isFresh ? epoch : 1)
  }
}
