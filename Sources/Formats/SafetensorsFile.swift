internal import Glibc

/// A safetensors file, mapped into memory after its header was checked completely.
///
/// Everything that the Python library refuses is refused (a gap, an overlap or bytes left over in
/// the data, a size that does not fit shape and type, invalid JSON), and also a duplicate name.
public struct SafetensorsFile: Sendable {
  public let path: String
  /// The tensors in the order of the file.
  public let tensors: [Tensor]
  /// The strings of the header's `__metadata__`.
  public let metadata: [String: String]
  private let places: [String: Int]

  /// Opens and checks a file.
  public init(_ path: String) throws(FileError) {
    let mapping = try FileMapping(path)
    self.path = path
    let bytes = mapping.bytes
    func damaged(_ what: String) -> FileError {
      FileError(
        .damaged, path,
        "\(path) is not a whole safetensors file (\(what)): use another copy or checkpoint")
    }
    guard bytes.count >= 8 else { throw damaged("\(bytes.count) bytes") }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= Safetensors.longestHeader, Int(length) <= bytes.count - 8 else {
      throw damaged("a header of \(length) bytes in a file of \(bytes.count)")
    }
    let start = 8 + Int(length)
    var header: [String: JSONValue]
    do {
      let text = UnsafeRawBufferPointer(rebasing: bytes[8..<start])
      guard case .object(let members) = try StrictJSON.parse(text) else {
        throw damaged("its header is not an object")
      }
      header = members
    } catch let error as StrictJSON.Failure {
      throw damaged("its header has \(error.reason) at byte \(8 + error.position)")
    } catch let error as FileError {
      throw error
    } catch {
      throw damaged("\(error)")
    }

    var metadata: [String: String] = [:]
    if let value = header.removeValue(forKey: "__metadata__"), value != .null {
      guard case .object(let members) = value else {
        throw damaged(
          "its metadata is not an "
            + "object")
      }
      for (key, value) in members {
        guard case .string(let text) = value else {
          throw damaged("its metadata \(key) is not a string")
        }
        metadata[key] = text
      }
    }
    self.metadata = metadata

    var places: [(entry: HeaderEntry, name: String)] = []
    for (name, value) in header {
      guard let entry = HeaderEntry(value) else {
        throw damaged("its tensor \(name) lacks a known type, a shape or its place")
      }
      guard entry.type.size(of: entry.shape) == entry.end - entry.begin else {
        throw damaged("its tensor \(name) has a size that does not fit its shape")
      }
      places.append((entry, name))
    }
    places.sort {
      ($0.entry.begin, $0.entry.end, $0.name) < ($1.entry.begin, $1.entry.end, $1.name)
    }
    var offset = 0
    var tensors: [Tensor] = []
    for (entry, name) in places {
      guard entry.begin == offset else {
        throw damaged("its tensor \(name) begins at \(entry.begin) and not at \(offset)")
      }
      offset = entry.end
      guard offset <= bytes.count - start else { throw damaged("it is cut off in tensor \(name)") }
      let memory = UnsafeRawBufferPointer(
        rebasing: bytes[start + entry.begin..<start + entry.end])
      tensors.append(
        Tensor(name, entry.type, shape: entry.shape, memory: memory, keeping: mapping))
    }
    guard offset == bytes.count - start else {
      throw damaged("\(bytes.count - start - offset) bytes after the last tensor")
    }
    self.tensors = tensors
    self.places = Dictionary(
      uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// Makes a copy in which some tensors are replaced.
  package init(_ file: SafetensorsFile, without names: Set<String>, with tensors: [Tensor]) {
    path = file.path
    metadata = file.metadata
    self.tensors = file.tensors.filter { !names.contains($0.name) } + tensors
    places = Dictionary(
      uniqueKeysWithValues: self.tensors.enumerated().map { ($1.name, $0) })
  }

  /// Returns the tensor with a name; for a tied matrix also under its second name.
  public subscript(name: String) -> Tensor? {
    if let place = places[name] { return tensors[place] }
    return metadata[name].flatMap { places[$0] }.map { tensors[$0] }
  }

  /// Copies a tensor, whose shape must match.
  public func copy<Element: TensorElement>(
    _ name: String, shape: [Int], into target: UnsafeMutableBufferPointer<Element>
  ) throws(FileError) {
    guard let tensor = self[name] else {
      throw FileError(
        .damaged, path,
        "\(path) has no tensor \(name)\(nearest(name, in: tensors.map(\.name))): "
          + "use the configuration it was made with")
    }
    guard tensor.shape == shape else {
      throw FileError(
        .damaged, path,
        "\(path) holds \(name) with shape \(tensor.shape) where this model has \(shape): "
          + "use the configuration it was made with")
    }
    if !tensor.copy(into: target) {
      throw FileError(
        .damaged, path,
        "\(path) holds \(name) as \(tensor.type.rawValue) where \(Element.tensorType.rawValue) is "
          + "needed: convert it")
    }
  }

  /// Returns the numbers of a tensor.
  public func values<Element: TensorElement>(
    _ name: String, as type: Element.Type = Element.self
  ) throws(FileError) -> [Element] {
    let shape = self[name]?.shape ?? []
    let count = shape.reduce(1, *)
    let values = UnsafeMutableBufferPointer<Element>.allocate(capacity: count)
    defer { values.deallocate() }
    try copy(name, shape: shape, into: values)
    return Array(values)
  }
}

/// The entry of one tensor in the header.
private struct HeaderEntry {
  let type: TensorType
  let shape: [Int]
  let begin: Int
  let end: Int

  init?(_ value: JSONValue) {
    guard case .string(let type)? = value["dtype"], let type = TensorType(rawValue: type),
      let shape = HeaderEntry.naturals(value["shape"]),
      let offsets = HeaderEntry.naturals(value["data_offsets"]), offsets.count == 2,
      offsets[0] <= offsets[1]
    else { return nil }
    self.type = type
    self.shape = shape
    begin = offsets[0]
    end = offsets[1]
  }

  private static func naturals(_ value: JSONValue?) -> [Int]? {
    guard case .array(let elements)? = value else { return nil }
    var numbers: [Int] = []
    for element in elements {
      guard case .integer(let number) = element, number >= 0 else { return nil }
      numbers.append(number)
    }
    return numbers
  }
}

/// A file mapped into memory for reading.
private final class FileMapping {
  let bytes: UnsafeRawBufferPointer

  init(_ path: String) throws(FileError) {
    let descriptor = try openRegularFile(path)
    defer { close(descriptor) }
    var info = stat()
    if fstat(descriptor, &info) != 0 { throw .reading(path) }
    let size = Int(info.st_size)
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else { throw .reading(path) }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    if let start = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }
}
