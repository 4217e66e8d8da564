/// A GGUF file, mapped into memory after its header was checked completely.
///
/// Versions 2 and 3 are read. As in llama.cpp, tensors lie in the order of the header without gaps besides the
/// padding. Quantised tensors are refused. A damaged file is refused with the first fault, and no memory is
/// allocated for more than it holds.
public struct GGUFFile: Sendable {
  public let path: String
  /// The tensors in the order of the file, with the slowest dimension first.
  public let tensors: [Tensor]
  public let settings: [String: GGUFValue]

  /// Opens and checks a file.
  /// - Throws: `FileError` if it cannot be read, or is no whole GGUF file.
  public init(_ path: String) throws(FileError) {
    let mapping = try FileMapping(path)
    self.path = path
    do throws(Flaw) {
      var reader = GGUFReader(ByteCursor(mapping.bytes))
      (tensors, settings) = try reader.read(keeping: mapping)
    } catch {
      throw FileError(
        .damaged, path,
        error.isQuantised
          ? "\(path) holds \(error.words): convert it to F32, F16 or BF16 first"
          : "\(path) is not a whole GGUF file (\(error.words)): use another copy")
    }
  }

  /// Returns true for a file that begins as a GGUF file does.
  public static func isOne(_ path: String) throws(FileError) -> Bool {
    try FileMapping(path).begins(with: GGUF.magic)
  }

  /// A fault of a file, in words for the middle of a sentence.
  fileprivate struct Flaw: Error {
    let words: String
    /// True if the file is whole, and has a type of tensors that is not read.
    let isQuantised: Bool

    init(_ words: String, isQuantised: Bool = false) {
      self.words = words
      self.isQuantised = isQuantised
    }
  }
}

/// The parts of a file, read in order.
private struct GGUFReader {
  private typealias Flaw = GGUFFile.Flaw
  private typealias Code = GGUFValue.Code

  /// An entry of the header, and the place of its data after the start of all data.
  private struct Entry {
    let name: String
    let type: TensorType
    let shape: [Int]
    let offset, size: Int
  }

  private var cursor: ByteCursor

  init(_ cursor: ByteCursor) { self.cursor = cursor }

  /// Reads all of the file.
  fileprivate mutating func read(
    keeping mapping: FileMapping
  ) throws(GGUFFile.Flaw) -> ([Tensor], [String: GGUFValue]) {
    let (count, settingCount) = try beginning()
    var settings: [String: GGUFValue] = [:]
    for _ in 0..<settingCount {
      let key = try text()
      let value = try value(of: try number(UInt32.self))
      guard settings.updateValue(value, forKey: key) == nil else {
        throw Flaw("the key \(key) twice")
      }
    }
    var alignment = GGUF.alignment
    if let given = settings["general.alignment"] {
      guard case .uint32(let bytes) = given, bytes > 0, bytes.isMultiple(of: 8), bytes <= 1 << 16
      else { throw Flaw("an alignment of \(given)") }
      alignment = Int(bytes)
    }
    var entries: [Entry] = []
    var names: Set<String> = []
    for _ in 0..<count {
      let entry = try entry()
      guard names.insert(entry.name).inserted else { throw Flaw("the tensor \(entry.name) twice") }
      entries.append(entry)
    }
    try unpacked { (cursor) throws(ByteCursor.Flaw) in try cursor.align(to: alignment) }
    return (try tensors(entries, alignment, mapping), settings)
  }

  /// Reads the letters, the version and the two counts.
  private mutating func beginning() throws(GGUFFile.Flaw) -> (tensors: Int, settings: Int) {
    let letters = try unpacked { (cursor) throws(ByteCursor.Flaw) in Array(try cursor.take(4)) }
    guard letters == GGUF.magic else { throw Flaw("it does not begin with GGUF") }
    let version = try number(UInt32.self)
    if version.byteSwapped == GGUF.version { throw Flaw("its numbers are big-endian") }
    guard (2...GGUF.version).contains(version) else { throw Flaw("version \(version)") }
    let tensors = try count(UInt64.self)
    return (tensors, try count(UInt64.self))
  }

  private mutating func entry() throws(GGUFFile.Flaw) -> Entry {
    let name = try text()
    let dimensions = try count(UInt32.self)
    guard dimensions <= GGUF.mostDimensions else {
      throw Flaw("\(dimensions) dimensions of the tensor \(name)")
    }
    var shape: [Int] = []
    for _ in 0..<dimensions { shape.insert(try count(UInt64.self), at: 0) }
    let code = try number(UInt32.self)
    guard let type = GGUF.types[code] else {
      throw Flaw("the tensor \(name) quantised (type \(code) of GGUF)", isQuantised: true)
    }
    guard let size = type.size(of: shape) else {
      throw Flaw("the tensor \(name) of shape \(shape)")
    }
    return Entry(
      name: name, type: type, shape: shape, offset: try count(UInt64.self), size: size)
  }

  /// Returns the tensors of the header, which must fill the rest of the file.
  private func tensors(
    _ entries: [Entry], _ alignment: Int, _ mapping: FileMapping
  ) throws(GGUFFile.Flaw) -> [Tensor] {
    let start = cursor.position
    var offset = 0
    var tensors: [Tensor] = []
    for entry in entries {
      guard entry.offset == offset else {
        throw Flaw("its tensor \(entry.name) begins at \(entry.offset) and not at \(offset)")
      }
      guard entry.size <= cursor.remaining - offset else {
        throw Flaw("it is cut off in tensor \(entry.name)")
      }
      let from = start + offset
      tensors.append(
        Tensor(
          entry.name, entry.type, shape: entry.shape,
          memory: UnsafeRawBufferPointer(rebasing: mapping.bytes[from..<from + entry.size]),
          keeping: mapping))
      let end = offset + entry.size
      offset = GGUF.padded(end, to: alignment)
      // The padding after the last tensor may be missing.
      if offset > cursor.remaining { offset = cursor.remaining }
    }
    guard offset == cursor.remaining else {
      throw Flaw("\(cursor.remaining - offset) bytes after the last tensor")
    }
    return tensors
  }

  // MARK: Values

  private mutating func value(of code: UInt32) throws(GGUFFile.Flaw) -> GGUFValue {
    switch code {
    case Code.uint8: .uint8(try number())
    case Code.int8: .int8(try number())
    case Code.uint16: .uint16(try number())
    case Code.int16: .int16(try number())
    case Code.uint32: .uint32(try number())
    case Code.int32: .int32(try number())
    case Code.uint64: .uint64(try number())
    case Code.int64: .int64(try number())
    case Code.float32: .float32(try number())
    case Code.float64: .float64(try number())
    case Code.bool: .bool(try number(UInt8.self) != 0)
    case Code.string: .string(try text())
    case Code.array: try array()
    default: throw Flaw("a value of type \(code) before byte \(cursor.position)")
    }
  }

  private mutating func array() throws(GGUFFile.Flaw) -> GGUFValue {
    let (code, count) = (try number(UInt32.self), try count(UInt64.self))
    switch code {
    case Code.string:
      var texts: [String] = []
      for _ in 0..<count { texts.append(try text()) }
      return .strings(texts)
    case Code.int32:
      var numbers: [Int32] = []
      for _ in 0..<count { numbers.append(try number()) }
      return .int32s(numbers)
    case Code.array: throw Flaw("an array of arrays before byte \(cursor.position)")
    default:
      for _ in 0..<count { _ = try value(of: code) }
      return .others(type: code, count: count)
    }
  }

  private mutating func text() throws(GGUFFile.Flaw) -> String {
    let count = try count(UInt64.self)
    return try unpacked { (cursor) throws(ByteCursor.Flaw) in try cursor.text(count) }
  }

  private mutating func count<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type
  ) throws(GGUFFile.Flaw) -> Int {
    try unpacked { (cursor) throws(ByteCursor.Flaw) in try cursor.count(type) }
  }

  private mutating func number<Number: BitwiseCopyable>(
    _ type: Number.Type = Number.self
  ) throws(GGUFFile.Flaw) -> Number {
    try unpacked { (cursor) throws(ByteCursor.Flaw) in try cursor.number(type) }
  }

  /// Reads with the cursor, whose flaws become those of a GGUF file.
  private mutating func unpacked<Result>(
    _ body: (inout ByteCursor) throws(ByteCursor.Flaw) -> Result
  ) throws(GGUFFile.Flaw) -> Result {
    do throws(ByteCursor.Flaw) {
      return try body(&cursor)
    } catch {
      throw Flaw(error.words)
    }
  }
}
