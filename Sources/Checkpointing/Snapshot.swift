package import Datasets
package import Formats
internal import Foundation
internal import LinearAlgebra
internal import Recurrence

/// Everything a run needs to resume, gathered on the root to be written as a checkpoint.
///
/// Tensors refer to the trainer's memory, so that a snapshot must be written before the next step,
/// unless it was made with copies.
public struct Snapshot: Sendable {
  /// The number of updates so far. All random numbers depend on the seed and the position in the
  /// data only, so no other counter is needed.
  package struct Counters: Codable, Sendable {
    package var optimizer = 0
    package var average = 0
    /// The numbers that the optimizer keeps besides its moments; nil for none.
    package var numbers: [Double]?
    /// The number of kept steps before the position in the data, for overlapping windows.
    package var kept: Int?
    /// The layout of the kept values.
    package var keptLayout: String?

    package init(
      optimizer: Int = 0, average: Int = 0, numbers: [Double]? = nil, kept: Int? = nil,
      keptLayout: String? = nil
    ) {
      self.numbers = numbers
      self.optimizer = optimizer
      self.average = average
      self.kept = kept
      self.keptLayout = keptLayout
    }
  }

  /// The identity of the model.
  package let model: String
  package let coordinator: CoordinatorState
  package let cursor: StreamCursor
  package let counters: Counters
  let tensors: [(file: String, tensors: [Tensor], metadata: [String: String])]

  package init(
    model: String, coordinator: CoordinatorState, cursor: StreamCursor, counters: Counters,
    tensors: [(file: String, tensors: [Tensor], metadata: [String: String])]
  ) {
    self.model = model
    self.coordinator = coordinator
    self.cursor = cursor
    self.counters = counters
    self.tensors = tensors
  }

  /// The tensor files of a checkpoint.
  package var files: [CheckpointFile] {
    tensors.map { CheckpointFile($0.file, tensors: $0.tensors, metadata: $0.metadata) }
  }
}
