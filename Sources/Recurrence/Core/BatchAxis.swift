internal import Sequences

extension Batch {
  /// Returns the batch that lies on an axis: the source, or this batch.
  func on(_ axis: Axis) -> Batch {
    if axis == .time || axis == .stream { return self }
    guard let source else { preconditionFailure("a batch without the axis \(axis.index)") }
    return source
  }
}
