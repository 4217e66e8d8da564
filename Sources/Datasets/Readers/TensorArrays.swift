internal import FoundationEssentials

/// The arrays of a safetensors file by name: rows of float32 or float64.
///
/// A file is refused if its numbers have a gap, an overlap or bytes left over, or if sizes do not
/// fit shapes.
struct TensorArrays {
  /// The arrays in the order of the file.
  let arrays: [(name: String, array: NumberArray)]

  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }

  /// A member of the header: a tensor, or metadata of any content.
  private enum Member: Decodable {
    case tensor(Entry)
    case other

    init(from decoder: any Decoder) throws {
      if decoder.codingPath.last?.stringValue == "__metadata__" {
        self = .other
      } else {
        self = .tensor(try Entry(from: decoder))
      }
    }
  }

  init(_ path: String) throws(DataError) {
    let file = try MappedFile(path)
    arrays = try file.withText { (bytes) throws(DataError) in try Self.read(bytes, path) }
  }

  private static func read(
    _ bytes: Span<UInt8>, _ path: String
  ) throws(DataError) -> [(name: String, array: NumberArray)] {
    func damaged(_ what: String) -> DataError {
      DataError("\(path) is not a whole safetensors file (\(what)): write it again")
    }
    guard bytes.count >= 8 else { throw damaged("\(bytes.count) bytes") }
    let length = bytes.littleEndian(8, at: 0)
    guard length <= UInt64(bytes.count - 8) else {
      throw damaged("a header of \(length) bytes in a file of \(bytes.count)")
    }
    let start = 8 + Int(length)
    let text = Data((8..<start).map { bytes[$0] })
    guard let members = try? JSONDecoder().decode([String: Member].self, from: text) else {
      throw damaged("its header does not say type, shape and place of each tensor")
    }
    var entries: [(name: String, entry: Entry)] = []
    for case (let name, .tensor(let entry)) in members { entries.append((name, entry)) }
    entries.sort { ($0.entry.data_offsets, $0.name) < ($1.entry.data_offsets, $1.name) }
    var end = 0
    var found: [(name: String, array: NumberArray)] = []
    for (name, entry) in entries {
      guard entry.dtype == "F32" || entry.dtype == "F64" else {
        throw DataError(
          "\(path) has numbers of the type \(entry.dtype) in '\(name)': save float32 or float64")
      }
      let isDouble = entry.dtype == "F64"
      guard entry.data_offsets.count == 2, entry.data_offsets[0] == end,
        entry.shape.allSatisfy({ $0 >= 0 }),
        let size = NumberArray.bytes(of: entry.shape, isDouble: isDouble),
        size <= bytes.count - start - end, entry.data_offsets[1] == end + size
      else { throw damaged("the place of '\(name)' does not fit its shape or the file") }
      found.append(
        (
          name,
          try NumberArray(
            bytes, in: start + end..<start + end + size, shape: entry.shape, isDouble: isDouble,
            "\(path), '\(name)'")
        ))
      end += size
    }
    guard end == bytes.count - start else {
      throw damaged("\(bytes.count - start - end) bytes after the last tensor")
    }
    return found
  }
}

/// Compares pairs by the first elements in which their lists differ.
private func < (a: ([Int], String), b: ([Int], String)) -> Bool {
  a.0 == b.0 ? a.1 < b.1 : a.0.lexicographicallyPrecedes(b.0)
}
