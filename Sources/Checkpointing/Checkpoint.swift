public import Formats

/// A checkpoint on disk whose bytes have all been verified, and whose numbers are plausible for a
/// run.
public struct Checkpoint: Sendable {
  /// The name of the file that holds everything but tensors.
  public static let stateFile = "state.json"

  /// The folder of the checkpoint.
  public let path: String
  public let state: CheckpointState
  /// The decoded and checked parts of the state.
  package let content: CheckpointContent

  /// Opens a checkpoint and reads every file of it once, to compare sizes and checksums. Checks
  /// every number of its state before using any.
  public init(verifying path: String) throws(FileError) {
    state = try Checkpoint.state(of: path)
    self.path = path
    if let problem = Checkpoint.problems(of: state, in: path).first { throw problem }
    content = try CheckpointContent(of: state, in: path)
  }

  /// Reads one of its files by name, such as `vocabulary.json`.
  public func bytes(of file: String) throws(FileError) -> [UInt8] {
    try readFile(path + "/" + file)
  }

  /// Opens one of its files of tensors by name, such as `model.safetensors`.
  public func tensors(of file: String) throws(FileError) -> SafetensorsFile {
    try SafetensorsFile(path + "/" + file)
  }

  /// Returns all problems of the checkpoint in a folder; empty if it is whole.
  public static func verify(_ path: String) -> [FileError] {
    do throws(FileError) {
      let state = try state(of: path)
      let problems = problems(of: state, in: path)
      if problems.isEmpty { _ = try CheckpointContent(of: state, in: path) }
      return problems
    } catch {
      return [error]
    }
  }

  static func state(of path: String) throws(FileError) -> CheckpointState {
    let file = path + "/" + stateFile
    if FileKind(path) == .folder && FileKind(file) == .nothing {
      throw FileError(
        .damaged, path,
        "\(path) has no \(stateFile), so it is not a checkpoint: give the folder "
          + "of a checkpoint")
    }
    return try CheckpointState(decoding: readFile(file), path: file)
  }

  /// - Parameter sizesOnly: True to compare sizes without reading the files, for lists.
  static func problems(
    of state: CheckpointState, in path: String, sizesOnly: Bool = false
  ) -> [FileError] {
    var problems: [FileError] = []
    // A file that is not listed has no checksum and could contain anything.
    let listed = Set(state.files.map(\.name))
    for file in CheckpointFile.Name.all.sorted() where !listed.contains(file) {
      let isThere = FileKind(path + "/" + file) != .nothing
      guard isThere || CheckpointFile.Name.always.contains(file) else { continue }
      problems.append(
        FileError(
          .damaged, path + "/" + stateFile,
          "\(path)/\(stateFile) does not list \(file), "
            + (isThere ? "which is in the folder" : "which every checkpoint has")
            + ": use another checkpoint"))
    }
    for file in state.files {
      let path = path + "/" + file.name
      do throws(FileError) {
        guard let size = fileSize(path) else {
          throw FileError(.damaged, path, "there is no file \(path): use another checkpoint")
        }
        guard size == file.size else {
          throw FileError(
            .damaged, path,
            "\(path) has \(size) bytes and not \(file.size): use another checkpoint")
        }
        guard !sizesOnly else { continue }
        let (_, checksum) = try measureFile(path)
        guard hexadecimal(checksum) == file.crc32 else {
          throw FileError(
            .damaged, path,
            "\(path) is damaged, its bytes do not have the checksum they were written with: "
              + "use another checkpoint")
        }
      } catch {
        problems.append(error)
      }
    }
    return problems
  }
}

/// A file to be saved in a checkpoint: its name and the code that writes it.
public struct CheckpointFile {
  public let name: String
  let write: (FileWriter) throws(FileError) -> Void

  /// Makes a file with any content.
  public init(
    _ name: String, write: @escaping (FileWriter) throws(FileError) -> Void
  ) {
    precondition(
      !name.isEmpty && !name.hasPrefix(".") && !name.contains("/")
        && name != Checkpoint.stateFile, "a checkpoint's file called \(name)")
    self.name = name
    self.write = write
  }

  /// Makes a file of tensors.
  public init(_ name: String, tensors: [Tensor], metadata: [String: String] = [:]) {
    self.init(name) { (file) throws(FileError) in
      try Safetensors.write(tensors, metadata: metadata, to: file)
    }
  }

  /// Makes a file with these bytes.
  public init(_ name: String, bytes: [UInt8]) {
    self.init(name) { (file) throws(FileError) in try file.write(bytes) }
  }
}

extension CheckpointFile {
  /// The names of a checkpoint's files.
  package enum Name {
    package static let model = "model.safetensors"
    package static let optimizer = "optimizer.safetensors"
    package static let average = "average.safetensors"
    package static let hidden = "hidden.safetensors"
    /// The tensors that the sum of gradients keeps between steps, if it keeps any.
    package static let reducer = "reducer.safetensors"
    package static let vocabulary = "vocabulary.json"
    /// The vocabularies of outputs and of the source, if they differ from that of inputs.
    package static let outputs = "outputs.json"
    package static let source = "source.json"
    /// The parts of conditions.
    package static let conditions = "conditions.json"

    /// The files that every checkpoint has, and all files that one may have.
    static let always: Set = [model, optimizer, hidden, vocabulary]
    static let all = always.union([average, reducer, outputs, source, conditions])
  }
}
