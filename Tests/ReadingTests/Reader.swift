import Foundation
import TestSupport

/// A kind of files that the program reads, and small ones of it.
struct Reader: Sendable {
  let name: String
  /// Makes small whole files; a folder for what is needed meanwhile.
  let subjects: @Sendable (String) throws -> [Subject]

  static let all: [Reader] = [
    configuration, cluster, safetensors, gguf, folders, weights, checkpoint, tokenizers,
    vocabularies, tokens, sequences, texts, preparation,
  ]
}

/// The files of one thing that is read, how they are damaged, and how they are read.
struct Subject {
  typealias Files = [String: [UInt8]]
  let files: Files
  /// Returns the files that are changed, with their damage.
  let damaged: (Files, inout RandomDamage) -> Files
  /// Reads the files of a folder.
  let read: (String) throws -> Void

  /// Damages one file at random, by its bytes or as a text.
  static func anyFile(_ files: Files, _ random: inout RandomDamage) -> Files {
    let names = files.keys.sorted()
    let name = names[random.below(names.count)]
    let bytes = files[name]!
    let isText = random.below(3) > 0
    return [name: isText ? random.damagedText(bytes) : random.damaged(bytes)]
  }

  func place(in folder: String) throws {
    for (name, bytes) in files {
      let path = folder + "/" + name
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try overwrite(path, bytes)
    }
  }

  /// Damages the files in a folder and returns the names of those that changed.
  func damage(in folder: String, _ random: inout RandomDamage) throws -> [String] {
    let changed = damaged(files, &random)
    for (name, bytes) in changed { try overwrite(folder + "/" + name, bytes) }
    return Array(changed.keys)
  }

  func restore(_ names: [String], in folder: String) throws {
    for name in names { try overwrite(folder + "/" + name, files[name]!) }
  }
}

/// Writes a file anew, so that nothing that maps the one before is cut short.
private func overwrite(_ path: String, _ bytes: [UInt8]) throws {
  unlink(path)
  guard let file = fopen(path, "w") else { throw CocoaError(.fileWriteUnknown) }
  fwrite(bytes, 1, bytes.count, file)
  fclose(file)
}
