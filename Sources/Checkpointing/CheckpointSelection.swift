public import Formats
internal import Glibc

// Lists the checkpoints, chooses the one to resume from, and deletes old ones.
extension CheckpointStore {
  /// One checkpoint in a list.
  public struct Summary: Sendable {
    public let step: Int
    public let path: String
    /// The size of all its files in bytes.
    public let size: Int
    /// The time when it was saved, in ISO 8601; nil if its state cannot be read.
    public let time: String?
    public let isLatest: Bool
    public let isBest: Bool
    /// The problems that sizes and the state show; `Checkpoint.verify` reads every byte.
    public let problems: [FileError]
    public var isComplete: Bool { problems.isEmpty }
  }

  /// The checkpoint to resume from.
  public struct Resumption: Sendable {
    public let checkpoint: Checkpoint
    /// The reason, in one sentence, if it is not the checkpoint that `latest` names.
    public let warning: String?
  }

  enum Pointer: String { case latest, best }

  /// Returns all checkpoints, by step.
  public func list() throws(FileError) -> [Summary] {
    let latest = target(of: .latest)
    let best = target(of: .best)
    var summaries: [Summary] = []
    for step in try steps() {
      let path = path(ofStep: step)
      let state: CheckpointState?
      let problems: [FileError]
      do throws(FileError) {
        let read = try Checkpoint.state(of: path)
        state = read
        problems = Checkpoint.problems(of: read, in: path, sizesOnly: true)
      } catch {
        state = nil
        problems = [error]
      }
      let size = ((try? names(in: path)) ?? []).reduce(0) {
        $0 + (fileSize(path + "/" + $1) ?? 0)
      }
      summaries.append(
        Summary(
          step: step, path: path, size: size, time: state?.time, isLatest: step == latest,
          isBest: step == best, problems: problems))
    }
    return summaries
  }

  /// The step that `latest` names.
  public var latest: Int? { target(of: .latest) }

  /// The step that `best` names.
  public var best: Int? { target(of: .best) }

  /// Returns the folder of a step's checkpoint.
  public func path(ofStep step: Int) -> String {
    directory + "/" + CheckpointStore.name(ofStep: step)
  }

  /// Returns the checkpoint that `latest` names if it is whole, otherwise the newest whole one; nil
  /// if there are no checkpoints.
  ///
  /// Reads every byte of the chosen checkpoint. Throws if there are checkpoints but all are
  /// damaged, so that a run never starts from scratch unless it is told to.
  public func resume() throws(FileError) -> Resumption? {
    guard FileKind(directory) != .nothing else { return nil }
    let latest = target(of: .latest)
    let order = preferred(try steps(), latest: latest)
    var reason: String?
    if latest == nil {
      reason = "\(directory)/latest is missing or names no checkpoint"
    } else if latest != order.first {
      reason = "\(directory)/latest names \(CheckpointStore.name(ofStep: latest!)), which is gone"
    }
    var first: FileError?
    for step in order {
      do throws(FileError) {
        let checkpoint = try Checkpoint(verifying: path(ofStep: step))
        return Resumption(
          checkpoint: checkpoint,
          warning: reason.map { "\($0): resuming from \(checkpoint.path), the newest whole one." })
      } catch {
        first = first ?? error
        reason = reason ?? "\(path(ofStep: step)) is damaged"
      }
    }
    guard let first else { return nil }
    throw FileError(
      .damaged, directory,
      "no checkpoint in \(directory) is whole (first problem: \(first.path)): restore one from a "
        + "copy, or start a new run in another folder with --run")
  }

  /// The folder of a checkpoint for what a user names: it, a folder of checkpoints, a run's folder, or
  /// the file `latest` or `best` of a folder of checkpoints.
  /// - Parameters:
  ///   - path: The path that a user gave; slashes at its end do not count.
  ///   - best: True for the checkpoint that `best` names in place of the latest.
  /// - Throws: `FileError`, also where there is no best one.
  public static func locate(_ path: String, best: Bool = false) throws(FileError) -> String {
    var path = path
    while path.count > 1 && path.last == "/" { path.removeLast() }
    if FileKind(path + "/" + Checkpoint.stateFile) != .nothing {
      guard !best else {
        throw FileError(
          .missing, path,
          "\(path) is a single checkpoint: give the run's folder with --best, or leave --best out"
        )
      }
      return path
    }
    if let pointer = Pointer(rawValue: path.split(separator: "/").last.map(String.init) ?? ""),
      FileKind(path) != .folder
    {
      guard !best || pointer == .best else {
        throw FileError(
          .missing, path, "\(path) names the latest checkpoint and --best another: give one of them"
        )
      }
      return try CheckpointStore(parent(of: path)).named(pointer)
    }
    for directory in [path, path + "/checkpoints"] {
      let store = CheckpointStore(directory)
      let steps = (try? store.steps()) ?? []
      if best, !steps.isEmpty { return try store.named(.best) }
      if let latest = store.latest, steps.contains(latest) { return store.path(ofStep: latest) }
      if let newest = steps.last { return store.path(ofStep: newest) }
    }
    if FileKind(path) == .nothing { throw .reading(path, ENOENT) }
    let runs = ((try? names(in: path)) ?? []).sorted().map { path + "/" + $0 }.filter {
      (try? CheckpointStore($0 + "/checkpoints").steps())?.isEmpty == false
    }
    if let run = runs.first {
      throw FileError(
        .missing, path,
        "\(path) holds \(runs.count) run\(runs.count == 1 ? "" : "s") but is not a run itself: "
          + "give one of them, such as \(run)")
    }
    throw FileError(
      .missing, path,
      "\(path) holds no checkpoint: give a folder such as checkpoints/step-00001000")
  }

  /// Returns the checkpoint that `latest` or `best` names.
  private func named(_ pointer: Pointer) throws(FileError) -> String {
    let file = directory + "/" + pointer.rawValue
    if FileKind(file) == .nothing {
      throw FileError(
        .missing, file,
        pointer == .best
          ? "\(directory) has no best checkpoint, because nothing was validated or it was "
            + "deleted: use the latest, or one that unroll checkpoint list shows"
          : "\(file) does not exist: give the folder of a run or of a checkpoint")
    }
    guard let step = target(of: pointer) else {
      throw FileError(
        .damaged, file,
        "\(file) names no checkpoint: give the folder of one that unroll checkpoint list shows")
    }
    guard try steps().contains(step) else {
      throw FileError(
        .missing, file,
        "\(file) names \(CheckpointStore.name(ofStep: step)), which is gone: give the folder of one "
          + "that unroll checkpoint list shows")
    }
    return path(ofStep: step)
  }

  /// Returns the steps that have a folder, in order.
  private func steps() throws(FileError) -> [Int] {
    try names(in: directory).compactMap(CheckpointStore.step(ofName:)).sorted()
  }

  /// Sorts steps newest first, but puts those after `latest` last. They are left from a run that
  /// went back to an earlier step and has since continued differently.
  private func preferred(_ steps: [Int], latest: Int?) -> [Int] {
    let latest = latest ?? Int.max
    return steps.filter { $0 <= latest }.reversed() + steps.filter { $0 > latest }.reversed()
  }

  /// Returns the step that a small file names; nil if it names none.
  private func target(of pointer: Pointer) -> Int? {
    let path = directory + "/" + pointer.rawValue
    // No name of a checkpoint is longer.
    guard fileSize(path) ?? 0 <= 64, let bytes = try? readFile(path) else { return nil }
    let line = String(decoding: bytes, as: UTF8.self)
    return CheckpointStore.step(ofName: line.hasSuffix("\n") ? String(line.dropLast()) : line)
  }

  /// Makes `best` name the checkpoint of a step, or nothing if there is no such checkpoint. If that
  /// step could not be saved, the best checkpoint before it stays the best.
  package func setBest(_ step: Int?) throws(FileError) {
    if step == best { return }
    if let step, let best, best < step, try !steps().contains(step) { return }
    if let step, try steps().contains(step) {
      try point(.best, to: CheckpointStore.name(ofStep: step))
    } else if best != nil {
      try removeTree(directory + "/" + Pointer.best.rawValue)
    }
  }

  /// Makes `latest` name the checkpoint of a step.
  package func setLatest(_ step: Int) throws(FileError) {
    if step != latest { try point(.latest, to: CheckpointStore.name(ofStep: step)) }
  }

  /// Returns true if a checkpoint is in this folder, under the name of its step.
  package func holds(_ checkpoint: Checkpoint) -> Bool {
    isSameFile(path(ofStep: checkpoint.state.step), checkpoint.path)
  }

  func point(_ pointer: Pointer, to name: String) throws(FileError) {
    try replaceFile(
      directory + "/" + pointer.rawValue,
      temporary: directory + "/" + CheckpointStore.temporary + pointer.rawValue + "-" + nonce()
    ) { (file) throws(FileError) in try file.write(Array((name + "\n").utf8)) }
  }

  /// Deletes all but the last `keep` whole checkpoints, the best, those that are kept for ever, and the one
  /// of the step `needed`; returns messages about failures.
  func prune(needed: Int? = nil) -> [String] {
    do throws(FileError) {
      let latest = target(of: .latest)
      let best = target(of: .best)
      var whole = 0
      for step in preferred(try steps(), latest: latest) {
        let path = path(ofStep: step)
        if whole < keep {
          // A damaged checkpoint among the last ones is no reason to delete an older whole one.
          let state = try? Checkpoint.state(of: path)
          let problems = state.map { Checkpoint.problems(of: $0, in: path, sizesOnly: true) }
          if problems?.isEmpty == true { whole += 1 }
        } else if ![best, latest, needed].contains(step),
          !(isKeptForEver(step) && step <= latest ?? 0)
        {
          // The folder is renamed first: a folder called `step-…` must be whole, also while it is
          // being deleted.
          let doomed =
            directory + "/" + CheckpointStore.temporary + CheckpointStore.name(ofStep: step) + "-"
            + nonce()
          try rename(path, to: doomed)
          try removeTree(doomed)
        }
      }
      return []
    } catch {
      return [error.description]
    }
  }
}
