package import Configuration
package import Datasets
public import LinearAlgebra
public import Recurrence

/// Evenly spaced numbers of each parameter of a vector, enough for a histogram, however large the model is.
public struct ParameterSample: Sendable {
  /// The most numbers of a parameter.
  package static let most = 1 << 14
  /// The numbers of each parameter in the order of the layout, those of different ranks one after another.
  public internal(set) var numbers: [[Real]]
  /// The parameters.
  public let entries: [ParameterLayout.Entry]

  /// Takes the numbers of a vector that is whole on this rank.
  package init(ofWhole vector: ParameterVector) {
    entries = vector.layout.entries
    numbers = entries.map { entry in
      let all = vector.elements(of: entry)
      return stride(from: 0, to: all.count, by: Self.step(entry)).map {
        all[all.index(all.startIndex, offsetBy: $0)]
      }
    }
  }

  /// Takes the numbers of this rank's slice of a vector; of the whole vector if it has no slice.
  init(ofSlice vector: ParameterVector) {
    entries = vector.layout.entries
    var numbers = [[Real]](repeating: [], count: entries.count)
    vector.forEachOwn { entry, run in
      let all = vector.elements(of: entry)
      let step = Self.step(entry)
      let start = run.numbers.lowerBound - entry.range.lowerBound
      let first = (start + step - 1) / step * step
      for i in stride(from: first, to: start + run.numbers.count, by: step) {
        numbers[run.entry].append(all[all.index(all.startIndex, offsetBy: i)])
      }
    }
    self.numbers = numbers
  }

  /// The distance between two numbers that are taken.
  private static func step(_ entry: ParameterLayout.Entry) -> Int {
    max((entry.range.count + most - 1) / most, 1)
  }

  /// Returns true if a run shows its gradient at evaluations. Ranks that train alone have no common one.
  package static func isShown(_ options: RunOptions, _ dataset: Dataset) -> Bool {
    options.report.tensorboard && dataset.valid != nil && options.communication.outer == nil
  }

  /// Returns the bytes that the root needs to gather a sample: its own, and those of all ranks twice.
  package static func bytes(_ layout: ParameterLayout) -> Double {
    let numbers = layout.entries.reduce(0) { $0 + min($1.range.count, most) }
    return Double(3 * numbers * MemoryLayout<Real>.stride)
  }
}
