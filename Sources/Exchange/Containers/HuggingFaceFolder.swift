internal import Checkpointing
internal import Datasets
internal import Formats
internal import Foundation
internal import Glibc

/// A folder with `config.json`, `model.safetensors` and the files of a tokenizer, as transformers reads it.
enum HuggingFaceFolder {
  private static let configurationFile = "config.json"
  private static let weightsFile = "model.safetensors"

  /// Returns true for a folder with settings and weights. The folder of a run has the one, and that of a
  /// checkpoint the other.
  static func isOne(_ path: String) -> Bool {
    FileKind(path + "/" + configurationFile) == .file
      && [weightsFile, weightsFile + ".index.json", "pytorch_model.bin"].contains {
        FileKind(path + "/" + $0) == .file
      }
  }

  /// Reads the settings and maps the tensors.
  static func read(_ path: String) throws(FileError) -> ForeignContent {
    let file = path + "/" + configurationFile
    let bytes = try readFile(file)
    let text = String(decoding: bytes, as: UTF8.self)
    // Not Foundation's JSON5, which ends the process at a key that is not UTF-8.
    let value = try? JSONValue(strictly: text, withNonfinite: true)
    guard case .object(let configuration)? = value.map(plain) else {
      throw FileError(.damaged, file, "\(file) is not a JSON object: use another copy")
    }
    let weights = path + "/" + weightsFile
    guard FileKind(weights) == .file else {
      let isSharded = FileKind(weights + ".index.json") == .file
      throw FileError(
        .damaged, path,
        isSharded
          ? "\(path) has its weights in several files: save it with a larger max_shard_size first"
          : "\(path) has no \(weightsFile): save it with transformers' save_pretrained first")
    }
    return ForeignContent(
      path, .huggingface, configuration: configuration,
      tensors: try SafetensorsFile(weights).tensors)
  }

  /// Returns a value with numbers in place of the objects that transformers 5 writes for infinite ones:
  /// `{"__float__": "Infinity"}`.
  private static func plain(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let members):
      if members.count == 1, case .string(let word)? = members["__float__"],
        let number = Double(word)
      {
        return .number(number)
      }
      return .object(members.mapValues(plain))
    case .array(let elements): return .array(elements.map(plain))
    default: return value
    }
  }

  /// Writes the folder, which is created if it is missing; the weights come last.
  static func write(
    _ content: ForeignContent, _ vocabulary: Vocabulary, _ metadata: [String: String],
    to path: String
  ) throws(FileError) -> [String] {
    switch FileKind(path) {
    case .nothing, .folder: break
    case .file, .other:
      throw FileError(
        .cannotCreate, path,
        "cannot create \(path) because it is a file, and this format is a folder: give another "
          + "path")
    }
    if FileKind(path + "/" + Checkpoint.stateFile) == .file {
      throw FileError(
        .cannotCreate, path,
        "cannot create \(path) because it is a checkpoint, which stays as it is: choose another "
          + "folder")
    }
    let run = RunFolder(path)
    if run.isUsed || FileKind(run.givenConfiguration) == .file {
      throw FileError(
        .cannotCreate, path,
        "cannot create \(path) because it is the folder of a run, whose config.json stays as it is: "
          + "choose another folder")
    }
    try createFolders(path)
    // The files of an earlier export with another vocabulary would be read with this one.
    let files = TokenizerFiles(vocabulary).files
    for name in TokenizerFiles.names where !files.contains(where: { $0.name == name }) {
      unlink(path + "/" + name)
    }
    var configuration = content.configuration
    configuration["dtype"] = "float32"
    // Ids of special symbols that transformers would otherwise assume.
    configuration["bos_token_id"] = vocabulary.begin.map { .integer(Int($0)) } ?? .null
    configuration["eos_token_id"] =
      (vocabulary.endOfDocument ?? vocabulary.end).map { .integer(Int($0)) } ?? .null
    configuration["pad_token_id"] = .null
    try write(.object(configuration), to: path + "/" + configurationFile)
    var told = ["\(path)/\(configurationFile): a \(text(configuration["model_type"]))"]
    for (name, bytes) in files {
      try save(bytes, to: path + "/" + name)
      told.append("\(path)/\(name): \(vocabulary.count) symbols")
    }
    var about = metadata
    about["format"] = "pt"
    try Safetensors.save(content.tensors, metadata: about, to: path + "/" + weightsFile)
    told.append("\(path)/\(weightsFile): \(content.tensors.count) tensors")
    return told
  }

  private static func text(_ value: JSONValue?) -> String {
    if case .string(let text)? = value { text } else { "network" }
  }

  private static func write(_ value: JSONValue, to path: String) throws(FileError) {
    guard let bytes = try? JSONValue.encoder(pretty: true).encode(value) else {
      preconditionFailure("a configuration that is no JSON")
    }
    try save(Array(bytes) + Array("\n".utf8), to: path)
  }

  private static func save(_ bytes: [UInt8], to path: String) throws(FileError) {
    try replaceFile(path, temporary: path + ".tmp-" + nonce()) { (file) throws(FileError) in
      try file.write(bytes)
    }
  }
}
