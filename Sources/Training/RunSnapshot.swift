public import Checkpointing
public import Collectives
internal import Datasets
public import Exchange
public import Formats
internal import Foundation
internal import LinearAlgebra
internal import Recurrence

extension Trainer {
  /// Gathers the carried states of all streams on the root. Collective.
  /// - Parameter copying: True for a snapshot that later steps do not change.
  /// - Returns: The snapshot on the root; nil on every other rank.
  public func snapshot(copying: Bool = false) throws(CommunicationError) -> Snapshot? {
    /// Returns a vector that stays as it is, if that is asked for. Vectors that were gathered are copies already.
    func still(_ vector: ParameterVector, of live: ParameterVector) -> ParameterVector {
      copying && world.isRoot && vector === live
        ? vector.copy(into: copies.take(vector.buffer.count)) : vector
    }

    let hidden = try gatherStates()
    average?.refresh(from: weights)
    try sharing?.grid.barrier()
    try outer?.settle()
    let ofRanks = try gatherRankTensors()
    // Ranks that train alone leave one model, the mean of theirs.
    let weights = still(try meanOfRanks(weights), of: weights)
    let average = try average.map { (average) throws(CommunicationError) in
      return still(try whole(average.vector), of: average.vector)
    }
    var moments: [Tensor] = []
    for (name, vector) in optimizer.moments {
      moments += still(try whole(vector), of: vector).tensors(prefix: name + ".")
    }
    guard world.isRoot else { return nil }
    var tensors: [(file: String, tensors: [Tensor], metadata: [String: String])] = [
      (CheckpointFile.Name.model, weights.tensors(), model.tiedNames),
      (CheckpointFile.Name.hidden, hidden, [:]),
      (CheckpointFile.Name.optimizer, moments, [:]),
    ]
    if let average {
      tensors.append((CheckpointFile.Name.average, average.tensors(), model.tiedNames))
    }
    let kept =
      sharedStateTensors.flatMap {
        still($0.vector, of: $0.vector).tensors(prefix: $0.name + ".")
      } + ofRanks
    if !kept.isEmpty { tensors.append((CheckpointFile.Name.reducer, kept, [:])) }
    return Snapshot(
      model: model.identity, coordinator: coordinator.state, cursor: loader.cursor,
      counters: .init(
        optimizer: optimizer.updates, average: self.average?.updates ?? 0,
        numbers: optimizer.numbers.isEmpty ? nil : optimizer.numbers,
        kept: keptSteps > 0 ? keptSteps : nil, keptLayout: keptSteps > 0 ? keptLayout : nil),
      tensors: tensors)
  }

  /// Takes up a run where a checkpoint left it. Collective; only the root passes the checkpoint.
  /// - Throws: `FileError` on the root where the checkpoint does not fit, `FailedElsewhere`
  ///   on the other ranks.
  public func restore(_ checkpoint: Checkpoint?) throws {
    let found = try world.unanimous { () throws -> Restored in
      guard let checkpoint else { return Restored() }
      return try readStates(checkpoint)
    }
    coordinator.restore(try world.share(found.coordinator))
    try restoreVectors(checkpoint)
    let cursor = try world.share(found.cursor)
    try world.unanimous {
      if let place = coordinator.state.window { try cut(into: place.updates) }
      try microBatches.seek(cursor, coordinator.state.window)
    }
    try scatterStates(found.hidden, keptSteps: try world.share(found.counters.kept ?? 0))
  }

  /// Takes the weights of a checkpoint, and all that updates depend on: moments, averages, counts of updates,
  /// and what the exchange of gradients keeps. Collective; only the root passes the checkpoint.
  /// - Throws: As `restore`.
  func restoreVectors(_ checkpoint: Checkpoint?) throws {
    let found = try world.unanimous { () throws -> RestoredVectors in
      guard let checkpoint else { return RestoredVectors() }
      return try readVectors(checkpoint)
    }
    let counters = try world.share(found.counters)
    optimizer.updates = counters.optimizer
    if !optimizer.numbers.isEmpty, let numbers = counters.numbers { optimizer.numbers = numbers }
    // An average with a trigger may have been one without.
    let isWaiting = coordinator.training.average?.trigger != nil && !coordinator.isAverageTriggered
    average?.updates = isWaiting ? 0 : counters.average
    try world.share(weights)
    try sharing?.finishChange()
    try share(found.moments)
    if let average { try world.share(average.vector) }
    for (_, vector) in sharedStateTensors { try world.share(vector) }
    try scatterRankTensors(from: checkpoint, exists: try world.share(found.hasReducer))
    outer?.resume()
  }

  /// The contents of a checkpoint besides the vectors.
  private struct Restored {
    var coordinator = CoordinatorState()
    var cursor = StreamCursor()
    var counters = Snapshot.Counters()
    /// The bytes of each of `carriedTensors`, for all streams.
    var hidden: [[UInt8]] = []
  }

  /// The contents of a checkpoint that belong to its vectors.
  private struct RestoredVectors {
    var counters = Snapshot.Counters()
    /// The moments on the root, where each rank keeps a slice of them.
    var moments: [ParameterVector]?
    /// True if the checkpoint has the tensors that this run's exchange of gradients keeps.
    var hasReducer = false
  }

  /// Returns a moment or an average as a checkpoint has it. Collective.
  private func whole(_ vector: ParameterVector) throws(CommunicationError) -> ParameterVector {
    guard let sharing, sharing.isSharded else { return try meanOfRanks(vector) }
    return try sharing.gathered(vector) ?? vector
  }

  /// Gives every rank the moments that the root has read, or its slice of them. Collective.
  private func share(_ moments: [ParameterVector]?) throws(CommunicationError) {
    for (index, moment) in optimizer.moments.enumerated() {
      if let sharing, sharing.isSharded {
        try sharing.scatter(moments?[index], into: moment.vector)
      } else {
        try world.share(moment.vector)
      }
    }
  }

  /// Reads the decisions, the position and the states of the streams.
  private func readStates(_ checkpoint: Checkpoint) throws -> Restored {
    let progress = checkpoint.content.progress
    var restored = Restored(
      coordinator: progress.coordinator, cursor: progress.cursor, counters: progress.counters)
    // A run whose windows now overlap less, or whose steps keep other values, resumes with the
    // states only.
    if restored.counters.kept ?? 0 > microBatches.maximumKeptSteps
      || restored.counters.keptLayout ?? keptLayout != keptLayout
    {
      restored.counters.kept = nil
    }
    let file = try checkpoint.tensors(of: CheckpointFile.Name.hidden)
    let (loader, place) = (self.loader, self.loader.cursor)
    defer { try? loader.seek(place) }
    try loader.seek(restored.cursor)
    for tensor in streamTensors(keptSteps: restored.counters.kept ?? 0) {
      restored.hidden.append(try tensor.read(from: file, of: model, streams: loader.carried.total))
    }
    return restored
  }

  /// Reads a checkpoint into the vectors of this rank.
  private func readVectors(_ checkpoint: Checkpoint) throws -> RestoredVectors {
    var restored = RestoredVectors(counters: checkpoint.content.progress.counters)
    try checkpoint.tensors(of: CheckpointFile.Name.model).load(into: [("", weights)])
    // A rank that keeps a slice of its moments has memory for no more.
    let moments =
      sharing?.isSharded == true
      ? optimizer.moments.map { ($0.name, ParameterVector($0.vector.layout)) } : optimizer.moments
    try checkpoint.tensors(of: CheckpointFile.Name.optimizer).load(
      into: moments.map { ($0.0 + ".", $0.1) })
    if sharing?.isSharded == true { restored.moments = moments.map(\.1) }
    if let average {
      // A run without an average so far starts one with the current weights.
      let file =
        checkpoint.state.files.contains { $0.name == CheckpointFile.Name.average }
        ? CheckpointFile.Name.average : CheckpointFile.Name.model
      try checkpoint.tensors(of: file).load(into: [("", average.vector)])
    }
    restored.hasReducer = try loadStateTensors(from: checkpoint)
    return restored
  }

  /// Starts from the weights in a file, or from initial weights if there is none. Collective; only
  /// the root passes the file. Every rank gets the root's numbers, because processors of different
  /// kinds may compute initial weights that differ in the last bit.
  /// - Parameters:
  ///   - file: The file of weights on the root, nil on other ranks; nil on the root for initial
  ///     weights.
  ///   - updateGate: The factor of the update gates in the file, if the file does not say it.
  public func begin(from file: SafetensorsFile?, updateGate: UpdateGate? = nil) throws {
    try world.unanimous { try file?.load(model, into: weights, updateGate: updateGate) }
    try world.share(weights)
    try sharing?.finishChange()
    average?.vector.update { $0.buffer.copy(from: weights.buffer) }
    outer?.begin(from: weights)
  }
}
