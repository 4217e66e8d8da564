internal import Checkpointing
internal import Datasets
internal import Formats
internal import Foundation
internal import Recurrence

/// The facts about a checkpoint that an exported file tells.
struct ExportMetadata {
  /// The program, the step, the kind of weights and the model's options, by their keys.
  let entries: [String: String]

  /// The kind of the weights: `averaged` or `as trained`.
  var weights: String { entries["weights"]! }

  init(_ checkpoint: Checkpoint, _ model: SequenceModel, raw: Bool) throws {
    let options = try JSONValue.encoder().encode(ModelOptions.sequence(model.options))
    entries = [
      "software": checkpoint.state.software,
      "step": String(checkpoint.state.step),
      "weights": checkpoint.hasAverage && !raw ? "averaged" : "as trained",
      "model": String(decoding: options, as: UTF8.self),
    ]
  }
}

/// Replaces a file that a user names in one step: it is complete under its name, or the old file is still
/// there.
/// - Throws: `FileError` where there is no place for a file, such as in a checkpoint.
func replaceExport(
  _ path: String, _ body: (FileWriter) throws(FileError) -> Void
) throws(FileError) {
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
  do {
    try replaceFile(path, temporary: path + ".tmp-" + nonce(), body)
  } catch {
    // The reader of the message knows the name of the file, not that of the temporary file.
    throw FileError(error.kind, path, error.description.replacing(error.path, with: path))
  }
}

extension Dataset.Vocabularies {
  /// Writes the vocabularies beside an exported file, as a checkpoint stores them: for `name.onnx`
  /// `name.vocabulary.json`, and `name.outputs.json` if the outputs have other symbols.
  /// - Returns: The files and the number of symbols in each; empty for a model without symbols.
  func save(beside path: String) throws -> [(file: String, symbols: Int)] {
    let stem = (path as NSString).deletingPathExtension
    var files: [(String, Vocabulary)] = []
    if !inputs.isEmpty { files.append(("vocabulary", inputs)) }
    if let outputs, !outputs.isEmpty, outputs != inputs { files.append(("outputs", outputs)) }
    return try files.map { name, vocabulary in
      try vocabulary.write(to: "\(stem).\(name).json")
      return ("\(stem).\(name).json", vocabulary.count)
    }
  }
}
