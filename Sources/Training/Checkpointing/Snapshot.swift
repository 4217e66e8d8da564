internal import Datasets
internal import Formats
internal import Foundation
internal import LinearAlgebra
internal import Recurrence

/// Everything a run needs to go on, gathered on the root: what a checkpoint is written from.
///
/// Tensors lie where the trainer has them; a snapshot is to be written before the next step.
public struct Snapshot {
  /// Updates made so far. Everything random is a function of the seed and of the place in the data,
  /// so no other counter is needed.
  struct Counters: Codable, Sendable {
    var optimizer = 0
    var average = 0
    /// Steps before the place in the data whose values are kept, of windows that overlap.
    var kept: Int?
    /// What these values are.
    var keptLayout: String?
  }

  let coordinator: CoordinatorState
  let cursor: StreamCursor
  let counters: Counters
  let tensors: [(file: String, tensors: [Tensor], metadata: [String: String])]

  /// The files of tensors of a checkpoint.
  var files: [CheckpointFile] {
    tensors.map { CheckpointFile($0.file, tensors: $0.tensors, metadata: $0.metadata) }
  }
}
