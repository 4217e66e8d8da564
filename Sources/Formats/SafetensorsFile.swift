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
  /// - Throws: `FileError` if it cannot be read, or is no whole safetensors file.
  public init(_ path: String) throws(FileError) {
    let mapping = try FileMapping(path)
    self.path = path
    let bytes = mapping.bytes
    func damaged(_ what: String) -> FileError {
      FileError(
        .damaged, path,
        "\(path) is not a whole safetensors file (\(what)): use another copy or checkpoint")
    }
    do throws(Flaw) {
      guard bytes.count >= 8 else { throw Flaw("\(bytes.count) bytes") }
      let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
      guard length <= Safetensors.longestHeader, Int(length) <= bytes.count - 8 else {
        throw Flaw("a header of \(length) bytes in a file of \(bytes.count)")
      }
      let start = 8 + Int(length)
      var header = try Self.header(UnsafeRawBufferPointer(rebasing: bytes[8..<start]))
      metadata = try Self.metadata(header.removeValue(forKey: "__metadata__"))
      tensors = try Self.tensors(header, in: mapping, from: start)
    } catch {
      throw damaged(error.words)
    }
    places = Dictionary(
      uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// A fault of a file, in words for the middle of a sentence.
  private struct Flaw: Error {
    let words: String
    init(_ words: String) { self.words = words }
  }

  private static func header(
    _ text: UnsafeRawBufferPointer
  ) throws(Flaw) -> [String: JSONValue] {
    do {
      guard case .object(let members) = try StrictJSON.parse(text) else {
        throw Flaw("its header is not an object")
      }
      return members
    } catch let error as StrictJSON.Failure {
      throw Flaw("its header has \(error.reason) at byte \(8 + error.position)")
    } catch let error as Flaw {
      throw error
    } catch {
      throw Flaw("\(error)")
    }
  }

  private static func metadata(_ value: JSONValue?) throws(Flaw) -> [String: String] {
    guard let value, value != .null else { return [:] }
    guard case .object(let members) = value else { throw Flaw("its metadata is not an object") }
    var metadata: [String: String] = [:]
    for (key, value) in members {
      guard case .string(let text) = value else {
        throw Flaw("its metadata \(key) is not a string")
      }
      metadata[key] = text
    }
    return metadata
  }

  /// Returns the tensors of a header, which must fill the data of the file without a gap.
  /// - Parameter start: The position of the data.
  private static func tensors(
    _ header: [String: JSONValue], in mapping: FileMapping, from start: Int
  ) throws(Flaw) -> [Tensor] {
    let bytes = mapping.bytes
    var places: [(entry: HeaderEntry, name: String)] = []
    for (name, value) in header {
      guard let entry = HeaderEntry(value) else {
        throw Flaw("its tensor \(name) lacks a known type, a shape or its place")
      }
      guard entry.type.size(of: entry.shape) == entry.end - entry.begin else {
        throw Flaw("its tensor \(name) has a size that does not fit its shape")
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
        throw Flaw("its tensor \(name) begins at \(entry.begin) and not at \(offset)")
      }
      offset = entry.end
      guard offset <= bytes.count - start else { throw Flaw("it is cut off in tensor \(name)") }
      let memory = UnsafeRawBufferPointer(
        rebasing: bytes[start + entry.begin..<start + entry.end])
      tensors.append(
        Tensor(name, entry.type, shape: entry.shape, memory: memory, keeping: mapping))
    }
    guard offset == bytes.count - start else {
      throw Flaw("\(bytes.count - start - offset) bytes after the last tensor")
    }
    return tensors
  }

  /// Makes a file of tensors in memory, such as those of another format.
  /// - Parameter path: The file that they were made from, for messages.
  package init(_ path: String, tensors: [Tensor]) {
    self.path = path
    self.tensors = tensors
    metadata = [:]
    places = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
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
