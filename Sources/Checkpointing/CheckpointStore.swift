public import Formats
internal import Glibc

/// The checkpoints of a run: one folder for each, and two small files that name the latest and the
/// best.
///
/// Only one process writes. A checkpoint is written under a temporary name, synced to the disk and
/// renamed; `latest` is updated last. So a folder called `step-…` is whole, and after a crash at
/// any moment `resume` finds a checkpoint no older than the last that `save` returned from.
public struct CheckpointStore: Sendable {
  /// The folder of all checkpoints.
  public let directory: String
  /// The number of latest checkpoints to keep, besides the best. At least 2, because the last one
  /// may turn out to be damaged.
  public let keep: Int
  /// The number of steps of which every multiple is kept for ever; nil for none.
  public let keepEvery: Int?

  /// Refers to the checkpoints in a folder, which need not exist yet.
  public init(_ directory: String, keep: Int = 3, keepEvery: Int? = nil) {
    self.directory = directory
    self.keep = max(keep, 2)
    self.keepEvery = keepEvery
  }

  /// Returns true if a checkpoint is never deleted, unless the run went back to an earlier step.
  func isKeptForEver(_ step: Int) -> Bool {
    guard let keepEvery, step > 0 else { return false }
    return step.isMultiple(of: keepEvery)
  }

  /// A checkpoint that was saved.
  public struct Saved: Sendable {
    public let path: String
    /// Messages about old checkpoints that could not be deleted.
    public let warnings: [String]
  }

  /// Creates the folder, and removes half-written files of a killed run.
  ///
  /// Called once at the start of a run, before `resume`, by the process that writes.
  public func prepare() throws(FileError) {
    try createFolders(directory)
    for name in try names(in: directory) {
      let path = directory + "/" + name
      if name.hasPrefix(CheckpointStore.temporary) {
        try removeTree(path)
      } else if name.hasPrefix(CheckpointStore.replaced) {
        // The process was killed between the two renames of `commit`, so the old checkpoint is
        // moved back.
        let place = directory + "/" + name.dropFirst(CheckpointStore.replaced.count)
        if FileKind(place) == .nothing {
          try rename(path, to: place)
          try syncFolder(directory)
        } else {
          try removeTree(path)
        }
      }
    }
  }

  /// Writes a checkpoint and returns once it is on the disk, whole and named by `latest`.
  ///
  /// A checkpoint of the same step is replaced; it stays until the new one is whole. If anything
  /// fails, the half-written files are deleted and the folder is as it was before.
  /// - Parameters:
  ///   - state: The state of training at the checkpoint, whose step names its folder.
  ///   - files: The files that lie beside the state, each with the code that writes it.
  ///   - isBest: True if `best` should name it too.
  ///   - needed: The step of an older checkpoint that must not be deleted.
  ///   - progress: The count to which the written bytes are added.
  public func save(
    _ state: CheckpointState, files: [CheckpointFile], isBest: Bool = false, needed: Int? = nil,
    progress: WriteProgress? = nil
  ) throws(FileError) -> Saved {
    let name = CheckpointStore.name(ofStep: state.step)
    let path = directory + "/" + name
    let temporary = directory + "/" + CheckpointStore.temporary + name + "-" + nonce()
    let aside = directory + "/" + CheckpointStore.replaced + name
    do {
      try createFolder(temporary)
      try write(state, files, in: temporary, progress)
      try syncFolder(temporary)
      try commit(temporary, as: path, aside: aside)
    } catch {
      try? removeTree(temporary)
      throw error
    }
    try syncFolder(directory)
    // `best` is updated first. If it were last, a crash between the two would lose it.
    if isBest { try point(.best, to: name) }
    try point(.latest, to: name)
    try? removeTree(aside)
    return Saved(path: path, warnings: prune(needed: needed))
  }

  private func write(
    _ state: CheckpointState, _ files: [CheckpointFile], in folder: String,
    _ progress: WriteProgress?
  ) throws(FileError) {
    var state = state
    state.files = []
    for file in files {
      let writer = try FileWriter(creating: folder + "/" + file.name, progress: progress)
      try file.write(writer)
      try writer.finish()
      state.files.append(
        CheckpointState.File(
          name: file.name, size: writer.size, crc32: hexadecimal(writer.checksum)))
    }
    let writer = try FileWriter(
      creating: folder + "/" + Checkpoint.stateFile, progress: progress)
    try writer.write(state.encoded())
    try writer.finish()
  }

  /// Renames a written folder to its final name. A folder with that name is moved aside first,
  /// because a folder cannot be renamed over another; `prepare` moves it back if the process is
  /// killed between the two renames.
  private func commit(
    _ temporary: String, as path: String, aside: String
  ) throws(FileError) {
    switch FileKind(path) {
    case .nothing: return try rename(temporary, to: path)
    case .file, .other: throw .writing(path, ENOTDIR)
    case .folder: break
    }
    try removeTree(aside)
    try rename(path, to: aside)
    do {
      try rename(temporary, to: path)
    } catch {
      try? rename(aside, to: path)
      throw error
    }
  }

  /// Returns the name of a checkpoint's folder.
  public static func name(ofStep step: Int) -> String {
    precondition(step >= 0, "a checkpoint of step \(step)")
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  static func step(ofName name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), step >= 0,
      name == self.name(ofStep: step)
    else { return nil }
    return step
  }

  static let temporary = ".tmp-"
  static let replaced = ".replaced-"
}
