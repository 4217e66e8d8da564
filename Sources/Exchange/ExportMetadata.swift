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
