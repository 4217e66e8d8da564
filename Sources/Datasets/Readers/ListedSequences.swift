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
  /// The steps of each example and of its source, which ordering reads often: examples are large.
  private let lengths: [(steps: Int32, source: Int32)]

  init(_ examples: [Example], name: String, shape: ExampleShape, trees: [Tree] = []) {
    self.examples = examples
    self.name = name
    self.trees = trees
    let lengths = examples.map { (steps: Int32($0.steps), source: Int32($0.sourceSteps)) }
    self.lengths = lengths
    longest = (Int(lengths.map(\.steps).max() ?? 0), Int(lengths.map(\.source).max() ?? 0))
    var shape = shape
    shape.isEven = lengths.allSatisfy { $0 == lengths[0] }
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
    (Int(lengths[index].steps), Int(lengths[index].source))
  }
  public func example(_ index: Int, epoch: Int) -> Example { examples[index] }
}
