internal import Datasets
internal import Formats

/// A `.safetensors` file with the names of RWKV-LM, and no settings.
enum RWKVFile {
  /// Returns true for a file with the names of any version of RWKV.
  static func isOne(_ file: SafetensorsFile) -> Bool {
    file["emb.weight"] != nil && file["blocks.0.ln0.weight"] != nil
  }

  static func read(_ path: String) throws(FileError) -> ForeignContent {
    ForeignContent(path, .rwkv, configuration: [:], tensors: try SafetensorsFile(path).tensors)
  }

  /// Writes the tensors. The vocabulary is written beside them, as for PyTorch's modules.
  static func write(
    _ content: ForeignContent, _ vocabulary: Vocabulary, _ metadata: [String: String],
    to path: String
  ) throws(FileError) -> [String] {
    var about = metadata
    about["format"] = "pt"
    try namingFile(path) { () throws(FileError) in
      try Safetensors.save(content.tensors, metadata: about, to: path)
    }
    return ["\(path): \(content.tensors.count) tensors"]
      + [try saveVocabulary(vocabulary, beside: path)].compactMap { $0 }
  }
}

/// A binary file of rwkv.cpp: a header of six numbers, and each tensor after its shape, type and name.
///
/// Only float32 and float16 are read, the types that rwkv.cpp's converter writes; its quantiser writes others.
enum RWKVCppFile {
  /// The first number of a file, 0x67676d66.
  private static let magic: [UInt8] = Array("fmgg".utf8)
  /// The versions of the format that are read.
  private static let versions: ClosedRange<UInt32> = 100...101

  static func isOne(_ path: String) throws(FileError) -> Bool {
    try FileMapping(path).begins(with: magic)
  }

  static func read(_ path: String) throws(FileError) -> ForeignContent {
    let mapping = try FileMapping(path)
    do throws(ByteCursor.Flaw) {
      return ForeignContent(
        path, .rwkvCpp, configuration: [:], tensors: try tensors(in: mapping))
    } catch {
      throw FileError(
        .damaged, path, "\(path) is not a whole file of rwkv.cpp (\(error.words)): use another copy"
      )
    }
  }

  private static func tensors(
    in mapping: FileMapping
  ) throws(ByteCursor.Flaw) -> [Tensor] {
    var cursor = ByteCursor(mapping.bytes)
    _ = try cursor.take(magic.count)
    let version = try cursor.number(UInt32.self)
    guard versions.contains(version) else { throw ByteCursor.Flaw("version \(version)") }
    // The numbers of symbols and layers and the width, which the shapes tell too, and the type of most.
    for _ in 0..<4 { _ = try cursor.number(UInt32.self) }
    var tensors: [Tensor] = []
    var names: Set<String> = []
    while cursor.remaining > 0 {
      let dimensions = try cursor.count(UInt32.self)
      let length = try cursor.count(UInt32.self)
      let code = try cursor.number(UInt32.self)
      guard dimensions <= 4 else { throw ByteCursor.Flaw("a tensor of \(dimensions) dimensions") }
      var shape: [Int] = []
      for _ in 0..<dimensions { shape.insert(try cursor.count(UInt32.self), at: 0) }
      let name = try cursor.text(length)
      guard let type = [0: TensorType.float32, 1: .float16][code] else {
        throw ByteCursor.Flaw("a quantised tensor \(name), of which the original is needed")
      }
      guard let size = type.size(of: shape) else {
        throw ByteCursor.Flaw("the tensor \(name) of shape \(shape)")
      }
      guard names.insert(name).inserted else {
        throw ByteCursor.Flaw("the tensor \(name) twice")
      }
      tensors.append(
        Tensor(name, type, shape: shape, memory: try cursor.take(size), keeping: mapping))
    }
    return tensors
  }
}
