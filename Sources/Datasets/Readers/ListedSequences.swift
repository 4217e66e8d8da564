internal import LinearAlgebra

/// A set of sequences read from files.
public struct ListedSequences: ExampleSet {
  public let name: String
  public let shape: ExampleShape
  public let longest: (steps: Int, source: Int)
  public let hash: UInt64
  /// The trees whose phrases these sequences are; empty for other data.
  public let trees: [Tree]
  private let examples: [Example]

  init(_ examples: [Example], name: String, shape: ExampleShape, trees: [Tree] = []) {
    self.examples = examples
    self.name = name
    self.trees = trees
    let steps = examples.map(\.steps)
    longest = (steps.max() ?? 0, examples.map(\.sourceSteps).max() ?? 0)
    var shape = shape
    shape.isEven =
      steps.allSatisfy { $0 == steps[0] }
      && examples.allSatisfy { $0.sourceSteps == examples[0].sourceSteps }
    self.shape = shape
    var fingerprint = Fingerprint()
    for example in examples {
      for symbols in [example.inputs, example.targets, example.source] {
        fingerprint.add(symbols.count)
        for symbol in symbols { fingerprint.add(Int(symbol)) }
      }
      for numbers in [example.frames, example.values, example.condition] {
        fingerprint.add(numbers.count)
        for number in numbers { fingerprint.add(Double(number).bitPattern) }
      }
      if example.sourceFrames.width > 0 {
        fingerprint.add(example.sourceFrames.width)
        fingerprint.add(example.sourceFrames.steps)
        for number in example.sourceFrames.numbers {
          fingerprint.add(Double(number).bitPattern)
        }
      }
      for known in example.classes { fingerprint.add(Int(known)) }
    }
    hash = fingerprint.value
  }

  public var count: Int { examples.count }
  public func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    (examples[index].steps, examples[index].sourceSteps)
  }
  public func example(_ index: Int, epoch: Int) -> Example { examples[index] }
}
