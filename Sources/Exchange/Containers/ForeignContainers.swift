internal import Datasets
internal import Formats

// Reading and writing of each container, independent of the networks in it.
extension ForeignContainer {
  /// Finds the container of a file or folder; nil if it is none of them.
  /// - Throws: `FileError` for a file that cannot be read, and a damaged one.
  init?(of path: String) throws(FileError) {
    switch FileKind(path) {
    case .folder:
      guard HuggingFaceFolder.isOne(path) else { return nil }
      self = .huggingface
    case .file:
      if try GGUFFile.isOne(path) {
        self = .gguf
      } else if try RWKVCppFile.isOne(path) {
        self = .rwkvCpp
      } else if path.hasSuffix(".safetensors"), RWKVFile.isOne(try SafetensorsFile(path)) {
        self = .rwkv
      } else {
        return nil
      }
    case .nothing, .other: return nil
    }
  }

  func read(_ path: String) throws(FileError) -> ForeignContent {
    switch self {
    case .huggingface: try HuggingFaceFolder.read(path)
    case .gguf: try GGUFContainer.read(path)
    case .rwkv: try RWKVFile.read(path)
    case .rwkvCpp: try RWKVCppFile.read(path)
    }
  }

  /// Writes a file or folder.
  /// - Returns: The files and what each holds.
  func write(
    _ content: ForeignContent, _ vocabulary: Vocabulary, _ metadata: [String: String],
    to path: String
  ) throws(FileError) -> [String] {
    if self != .huggingface { try requireFile(path) }
    switch self {
    case .huggingface: return try HuggingFaceFolder.write(content, vocabulary, metadata, to: path)
    case .gguf: return try GGUFContainer.write(content, vocabulary, metadata, to: path)
    case .rwkv: return try RWKVFile.write(content, vocabulary, metadata, to: path)
    case .rwkvCpp: preconditionFailure("files of rwkv.cpp are only read")
    }
  }
}
