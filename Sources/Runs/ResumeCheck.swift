internal import Checkpointing
internal import Configuration
internal import Datasets
internal import Formats
internal import Logging
internal import Recurrence

/// The comparison of a checkpoint with the run that is to resume from it.
struct ResumeCheck {
  let options: RunOptions
  let dataset: Dataset
  let model: any Model
  let worldSize: Int
  let log: Logger

  /// Refuses a checkpoint of another run, and reports other changes since.
  func check(_ checkpoint: Checkpoint) throws {
    let state = checkpoint.state
    func refuse(_ what: String, _ advice: String) -> FileError {
      FileError(
        .damaged, checkpoint.path, "\(checkpoint.path) was made with another \(what): \(advice)")
    }
    if state.hashes.vocabulary != hexadecimal(dataset.vocabulary.hash) {
      throw refuse("vocabulary", "resume with the data it was made with, or start a new run")
    }
    if state.hashes.data != hexadecimal(dataset.hash) {
      throw refuse(
        "text", "resume with the data it was made with, or start a new run with --init-from")
    }
    if state.hashes.model != model.identity {
      let keys = try changedKeys(since: checkpoint).filter { $0.hasPrefix("model.") }
      let named = keys.isEmpty ? "" : " (changed: \(keys.joined(separator: ", ")))"
      throw refuse("model\(named)", "resume with its own configuration, or start a new run")
    }
    if state.batchSize != options.training.batchSize {
      throw refuse(
        "batch_size (\(state.batchSize))",
        "resume with that batch_size, or start a new run with --init-from")
    }
    if let key = try changedCut(since: checkpoint) {
      throw refuse(
        "\(key), in the middle of an epoch, which would continue at another position",
        "resume with its own, or from a checkpoint at the end of an epoch")
    }
    if state.seed != options.seed {
      throw refuse("seed (\(state.seed))", "resume with that seed, or start a new run")
    }
    let changed = try changedKeys(since: checkpoint)
    if !changed.isEmpty {
      log.info("Changed since the checkpoint: \(changed.joined(separator: ", ")).")
    }
    if state.worldSize != worldSize {
      log.info(
        """
        Resuming on \(worldSize) \(worldSize == 1 ? "rank" : "ranks") a run of \
        \(state.worldSize): the loss continues up to rounding.
        """)
    }
  }

  /// Returns the keys of the configuration that have changed, such as `model.layers.0.hidden`.
  private func changedKeys(since checkpoint: Checkpoint) throws -> [String] {
    try checkpoint.state.configuration.differences(from: JSONValue(encoding: options))
  }

  /// Returns the first changed key that decides how sequences are cut into windows, if the run is
  /// inside an epoch. There the position in the data is a number of windows; in a text it is not.
  private func changedCut(since checkpoint: Checkpoint) throws -> String? {
    let place = checkpoint.content.progress.cursor
    guard !dataset.interface.isRunning, place.position > 0 else { return nil }
    let (before, now) = (try checkpoint.options().training, options.training)
    if before.givenBptt != now.givenBptt { return "training.bptt" }
    if before.batchTokens != now.batchTokens { return "training.batch_tokens" }
    return before.isBucketed == now.isBucketed ? nil : "training.bucket"
  }
}
