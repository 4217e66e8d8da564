internal import Checkpointing
internal import Datasets
internal import Formats
internal import Foundation

/// Refuses a path at which no file can be exported.
func requireFile(_ path: String) throws(FileError) {
  let folder = parent(of: path)
  func refuse(_ reason: String) -> FileError {
    FileError(.cannotCreate, path, "cannot create \(path) because \(reason)")
  }
  switch FileKind(folder) {
  case .folder: break
  case .nothing: throw refuse("there is no folder \(folder): create it first")
  case .file, .other: throw refuse("\(folder) is not a folder: choose another path")
  }
  switch FileKind(path) {
  case .nothing, .file: break
  case .folder: throw refuse("it is a folder: give the path of a file in it")
  // A device or a pipe would be replaced by the file.
  case .other: throw refuse("it is not a regular file: give another path")
  }
  if FileKind(folder + "/" + Checkpoint.stateFile) == .file {
    throw refuse("\(folder) is a checkpoint, which stays as it is: choose another folder")
  }
}

/// Writes a vocabulary beside an exported file, in the form of a checkpoint: for `name.gguf`
/// `name.vocabulary.json`.
/// - Returns: The file and what it holds; nil for a model without symbols.
func saveVocabulary(_ vocabulary: Vocabulary, beside path: String) throws(FileError) -> String? {
  if vocabulary.isEmpty { return nil }
  guard let bytes = try? JSONValue.encoder().encode(vocabulary) else {
    preconditionFailure("a vocabulary that is no JSON")
  }
  let stem = path.split(separator: ".", omittingEmptySubsequences: false).dropLast()
  let file = stem.joined(separator: ".") + ".vocabulary.json"
  try replaceFile(file, temporary: file + ".tmp-" + nonce()) { (writer) throws(FileError) in
    try writer.write(Array(bytes))
  }
  return "\(file): \(vocabulary.count) symbols"
}

/// Names a file in the error of writing it, instead of its temporary file, which the reader does not know.
func namingFile(_ path: String, _ write: () throws(FileError) -> Void) throws(FileError) {
  do throws(FileError) {
    try write()
  } catch {
    throw FileError(error.kind, path, error.description.replacing(error.path, with: path))
  }
}
