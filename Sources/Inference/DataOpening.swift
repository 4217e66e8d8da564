internal import Collectives
package import Datasets
internal import Formats
internal import Foundation

extension Communicator {
  /// Opens data on every rank, and does expensive work on one rank for the others. Collective.
  ///
  /// The root parses files of sequences and sends the result. Texts are encoded by the root, then
  /// by one rank of each machine that does not see the root's folder; the other ranks open the
  /// encoded files.
  /// - Parameter folder: The folder for encoded texts; created if missing.
  package func open(
    _ options: DataOptions, _ vocabularies: Dataset.Vocabularies?, folder: String, seed: UInt64
  ) throws -> Dataset {
    var opened: Dataset?
    func read(writing: Bool) throws -> Dataset {
      if writing { try createFolders(folder) }
      return try Dataset(
        options, vocabularies: vocabularies, cache: folder, writing: writing, seed: seed)
    }
    guard options.reader == nil else {
      try unanimous { if isRoot { opened = try read(writing: false) } }
      guard size > 1 else { return opened! }
      let packed = try broadcast(opened?.packed ?? [])
      return try unanimous { try opened ?? Dataset(unpacking: packed) }
    }
    for turn in 0..<3 {
      let isMine = turn == 0 ? isRoot : (turn == 1 ? nodeRank == 0 : true) && opened == nil
      try unanimous { if isMine { opened = try read(writing: turn < 2) } }
    }
    guard let opened else { preconditionFailure("no rank's turn to open the data") }
    return opened
  }

  /// Runs `body` with a new folder that has the same path on every rank, and removes it afterwards.
  func withTemporaryFolder<Value>(_ body: (String) throws -> Value) throws -> Value {
    let name = try share(isRoot ? nonce() : "")
    let path = FileManager.default.temporaryDirectory.path + "/unroll-\(name)"
    defer { if nodeRank == 0 { try? removeTree(path) } }
    return try body(path)
  }
}
