internal import Checkpointing
internal import Configuration
package import Formats
internal import LinearAlgebra
internal import Training

/// The disk space that checkpoints need, so that a run that cannot save ends before its first step,
/// not after its first hour.
package struct CheckpointSpace {
  /// The bytes of one checkpoint's vectors: weights, moments, an average. Carried states are not
  /// counted.
  let ofCheckpoint: Double
  /// The most checkpoints that exist at once: those that are kept, the best, and a new one.
  let most: Int

  /// - Parameter keep: The number of latest checkpoints to keep.
  package init(ofCheckpoint: Double, keep: Int) {
    self.ofCheckpoint = ofCheckpoint
    most = min(keep, largestCount) + 2
  }

  /// Compares what is free with what is needed.
  /// - Parameters:
  ///   - folder: the folder of the checkpoints, or one that it is to be made in.
  ///   - saved: the checkpoints that are there already.
  ///   - free: the free bytes of the disk; nil for what the system says.
  /// - Returns: a warning where there is room for some checkpoints, but not for all that will be kept.
  /// - Throws: `FileError` where there is no room for one.
  package func check(
    _ folder: String, saved: Int, free: Double? = nil
  ) throws(FileError) -> String? {
    guard let free = free ?? Self.freeBytes(folder) else { return nil }
    guard free >= ofCheckpoint else {
      throw FileError(
        .cannotWrite, folder,
        "\(folder) has \(size(free)) free and a checkpoint takes \(size(ofCheckpoint)): free space on "
          + "that disk, or choose another folder with --run")
    }
    let more = max(most - saved, 1)
    guard free < Double(more) * ofCheckpoint else { return nil }
    return "\(folder) has \(size(free)) free, and \(more) more checkpoints of "
      + "\(size(ofCheckpoint)) each may lie there at once: free space on that disk, or lower "
      + "checkpoint.keep"
  }

  func check(_ folder: String, _ store: CheckpointStore) throws(FileError) -> String? {
    try check(folder, saved: (try? store.list())?.count ?? 0)
  }

  /// Returns the free bytes of the disk of a folder, or of its nearest existing parent.
  private static func freeBytes(_ folder: String) -> Double? {
    var folder = folder
    while FileKind(folder) == .nothing, folder != ".", folder != "/" {
      folder = parent(of: folder)
    }
    return DiskSpace(of: folder).map { Double($0.free) }
  }

  private func size(_ bytes: Double) -> String {
    bytes < 0x1p30 ? fixed(bytes / 0x1p20, 1) + " MiB" : fixed(bytes / 0x1p30, 1) + " GiB"
  }
}

extension Trainer {
  /// The space that the run's checkpoints need.
  var checkpointSpace: CheckpointSpace {
    let vectors = 1 + optimizer.moments.count + (average == nil ? 0 : 1) + exchangeVectors
    return CheckpointSpace(
      ofCheckpoint: Double(vectors * weights.layout.count * MemoryLayout<Float>.stride),
      keep: coordinator.checkpoint.keep)
  }
}
