import Datasets
import LinearAlgebra
import Recurrence
import Sequences

/// Sequences whose every number tells which sequence it is of, and where in it.
struct ListedExamples: ExampleSet {
  let lengths: [Int]
  var sources: [Int] = []
  var isFresh = false
  var isEven = false

  let name = "the list"
  var count: Int { lengths.count }
  var shape: ExampleShape {
    ExampleShape(
      widths: Batch.Widths(features: 2, values: 3, condition: 1), hasSource: !sources.isEmpty,
      isEven: isEven)
  }
  var longest: (steps: Int, source: Int) { (lengths.max() ?? 0, sources.max() ?? 0) }
  var hash: UInt64 { 0 }

  func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    let index = isFresh ? (index + epoch) % count : index
    return (lengths[index], sources.isEmpty ? 0 : sources[index])
  }

  func example(_ index: Int, epoch: Int) -> Example {
    let (steps, source) = steps(of: index, epoch: epoch)
    func numbers(_ width: Int, _ offset: Int) -> [Real] {
      (0..<steps * width).map { Real(1000 * (index + 1) + offset + $0) }
    }
    var example = Example()
    example.inputs = (0..<steps).map { Int32(100 * (index + 1) + $0) }
    example.targets = example.inputs.map { $0 + 1 }
    example.frames = numbers(2, 0)
    example.values = numbers(3, 300)
    example.condition = [Real(index) + 0.5]
    example.source = (0..<source).map { Int32(500 * (index + 1) + $0) }
    return example
  }
}
