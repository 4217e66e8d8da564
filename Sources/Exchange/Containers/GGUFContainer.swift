internal import Datasets
internal import Formats

/// A GGUF file with a network for llama.cpp, and its vocabulary.
enum GGUFContainer {
  static func read(_ path: String) throws(FileError) -> ForeignContent {
    let file = try GGUFFile(path)
    return ForeignContent(
      path, .gguf, configuration: file.settings.compactMapValues(\.json), tensors: file.tensors)
  }

  static func write(
    _ content: ForeignContent, _ vocabulary: Vocabulary, _ metadata: [String: String],
    to path: String
  ) throws(FileError) -> [String] {
    var settings: [(key: String, value: GGUFValue)] = []
    var values = content.configuration
    // The architecture comes first, because all other keys begin with it.
    if case .string(let name)? = values.removeValue(forKey: "general.architecture") {
      settings.append(("general.architecture", .string(name)))
    }
    // 0: all tensors are F32.
    settings.append(("general.file_type", .uint32(0)))
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      settings.append(("unroll." + key, .string(value)))
    }
    settings += values.sorted { $0.key < $1.key }.map { ($0.key, setting($0.value)) }
    let symbols = LlamaVocabulary(vocabulary)
    settings += symbols.settings
    try namingFile(path) { () throws(FileError) in
      try GGUF.save(content.tensors, settings, to: path)
    }
    let told = ["\(path): \(content.tensors.count) tensors, \(symbols.words)"]
    if symbols.hasTokenizer { return told }
    return told + [try saveVocabulary(vocabulary, beside: path)].compactMap { $0 }
  }

  /// Returns a setting of a network in the type that llama.cpp reads.
  private static func setting(_ value: JSONValue) -> GGUFValue {
    switch value {
    case .integer(let value): .uint32(UInt32(value))
    case .number(let value): .float32(Float(value))
    case .bool(let value): .bool(value)
    case .string(let value): .string(value)
    case .null, .unsigned, .array, .object: preconditionFailure("no setting of a network: \(value)")
    }
  }
}
