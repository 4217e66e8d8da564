/// Writes named tensors in the safetensors format, version 0.4 to 0.8 of its library.
///
/// A file consists of the length n of the header (8 bytes, little-endian), n bytes of JSON padded
/// with spaces to a multiple of 8, and the tensors without gaps. Tensors lie in the order of the
/// Python library: by type, the last of `TensorType` first, then by name. The same tensors give the
/// same bytes.
public enum Safetensors {
  /// The longest header that readers accept.
  static let longestHeader = 100_000_000

  /// Writes tensors directly from their memory.
  public static func write(
    _ tensors: [Tensor], metadata: [String: String] = [:], to file: FileWriter
  ) throws(FileError) {
    let order = TensorType.allCases
    let sorted = tensors.sorted {
      let (first, second) = (order.firstIndex(of: $0.type)!, order.firstIndex(of: $1.type)!)
      return first == second
        ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) : first > second
    }
    try file.write(header(of: sorted, metadata))
    for tensor in sorted { try file.write(tensor.memory) }
  }

  /// Writes a file in one step: it is complete under its name, or the old file is still there.
  public static func save(
    _ tensors: [Tensor], metadata: [String: String] = [:], to path: String
  ) throws(FileError) {
    try replaceFile(path, temporary: path + ".tmp-" + nonce()) { (file) throws(FileError) in
      try write(tensors, metadata: metadata, to: file)
    }
  }

  private static func header(of sorted: [Tensor], _ metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let entries = metadata.sorted { $0.key < $1.key }
        .map { quoted($0.key) + ":" + quoted($0.value) }
      members.append("\"__metadata__\":{" + entries.joined(separator: ",") + "}")
    }
    var offset = 0
    var names: Set<String> = ["__metadata__"]
    for tensor in sorted {
      precondition(names.insert(tensor.name).inserted, "two tensors called \(tensor.name)")
      let end = offset + tensor.memory.count
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        quoted(tensor.name) + ":{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var text = Array(("{" + members.joined(separator: ",") + "}").utf8)
    while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
    precondition(text.count <= longestHeader, "a header of \(text.count) bytes")
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\u{8}": quoted += "\\b"
      case "\u{C}": quoted += "\\f"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
