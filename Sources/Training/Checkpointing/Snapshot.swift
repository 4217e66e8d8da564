internal import Datasets
internal import Formats
internal import Foundation
internal import LinearAlgebra
internal import Recurrence

/// Everything a run needs to resume, gathered on the root to be written as a checkpoint.
///
/// Tensors refer to the trainer's memory, so a snapshot must be written before the next step.
public struct Snapshot {
  /// The number of updates so far. All random numbers depend on the seed and the position in the
  /// data only, so no other counter is needed.
  struct Counters: Codable, Sendable {
    var optimizer = 0
    var average = 0
    /// The number of kept steps before the position in the data, for overlapping windows.
    var kept: Int?
    /// The layout of the kept values.
    var keptLayout: String?
  }

  let coordinator: CoordinatorState
  let cursor: StreamCursor
  let counters: Counters
  let tensors: [(file: String, tensors: [Tensor], metadata: [String: String])]

  /// The tensor files of a checkpoint.
  var files: [CheckpointFile] {
    tensors.map { CheckpointFile($0.file, tensors: $0.tensors, metadata: $0.metadata) }
  }
}
