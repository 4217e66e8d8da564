public import Formats
internal import Foundation

/// The list of a run's checkpoints for `unroll checkpoint list` and `unroll checkpoint verify`.
public struct CheckpointList: Sendable {
  public let store: CheckpointStore
  public let summaries: [CheckpointStore.Summary]

  /// - Parameter path: a run's folder, its folder of checkpoints, or a checkpoint in it.
  /// - Throws: `FileError` where there is none.
  public init(_ path: String) throws(FileError) {
    var path = path
    while path.count > 1 && path.last == "/" { path.removeLast() }
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    let folders =
      CheckpointStore.step(ofName: name) == nil
      ? [path, path + "/checkpoints"] : [parent(of: path)]
    for folder in folders where FileKind(folder) == .folder {
      let store = CheckpointStore(folder)
      let summaries = try store.list()
      if !summaries.isEmpty {
        self.store = store
        self.summaries = summaries
        return
      }
    }
    switch FileKind(path) {
    case .nothing: throw FileError(.missing, path, "there is no \(path): check the path")
    case .file, .other:
      throw FileError(.missing, path, "\(path) is not a folder: give the folder of a run")
    case .folder:
      throw FileError(
        .missing, path,
        "\(path) holds no checkpoint: give the folder of a run that has saved one")
    }
  }

  /// The list as a table, one line per checkpoint.
  public var words: String {
    let rows =
      [["step", "saved", "size", "marks", "state"]]
      + summaries.map { summary in
        [
          String(summary.step), summary.time ?? "?", bytes(summary.size),
          [summary.isLatest ? "latest" : nil, summary.isBest ? "best" : nil]
            .compactMap { $0 }.joined(separator: " "),
          summary.problems.first.map { "not whole: \($0)" } ?? "whole",
        ]
      }
    return table(rows, rightAligned: [0, 2])
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let step: Int
        let path: String
        let time: String?
        let size: Int
        let latest: Bool
        let best: Bool
        let whole: Bool
        let problems: [String]
      }
      return try prettyJSON(
        summaries.map {
          Line(
            step: $0.step, path: $0.path, time: $0.time, size: $0.size, latest: $0.isLatest,
            best: $0.isBest, whole: $0.isComplete, problems: $0.problems.map(\.description))
        })
    }
  }

  /// Reads every byte of a checkpoint, or of all checkpoints of a run.
  /// - Returns: The folders that are whole, and the problems of the others.
  public static func verify(
    _ path: String
  ) throws(FileError) -> (whole: [String], problems: [FileError]) {
    var path = path
    while path.count > 1 && path.last == "/" { path.removeLast() }
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    var folders = [path]
    var problems: [FileError] = []
    let isCheckpoint =
      FileKind(path + "/" + Checkpoint.stateFile) != .nothing
      || CheckpointStore.step(ofName: name) != nil && FileKind(path) == .folder
    if !isCheckpoint {
      let list = try CheckpointList(path)
      folders = list.summaries.map(\.path)
      if let problem = list.pointerProblem { problems.append(problem) }
    }
    var whole: [String] = []
    for folder in folders {
      let found = Checkpoint.verify(folder)
      if found.isEmpty { whole.append(folder) }
      problems += found
    }
    return (whole, problems)
  }

  /// The problem with the file `latest`, from which a run resumes; nil if there is none.
  private var pointerProblem: FileError? {
    let file = store.directory + "/latest"
    guard let latest = store.latest else {
      return FileError(
        .damaged, file,
        "\(file) is missing or names no checkpoint: a run resumes from the newest whole one and "
          + "writes it again")
    }
    guard summaries.contains(where: { $0.step == latest }) else {
      return FileError(
        .damaged, file,
        "\(file) names \(CheckpointStore.name(ofStep: latest)), which is gone: a run resumes from "
          + "the newest whole one")
    }
    return nil
  }
}
