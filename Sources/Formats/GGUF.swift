/// Writes named tensors and settings in the GGUF format, version 3, of llama.cpp.
///
/// A file consists of the letters GGUF, the version, the numbers of tensors and of settings, the settings, the
/// tensors' names, shapes (fastest dimension first), types and places, and the tensors, each at a multiple of 32
/// bytes. Numbers are little-endian.
public enum GGUF {
  static let magic: [UInt8] = Array("GGUF".utf8)
  static let version: UInt32 = 3
  static let alignment = 32
  /// The most dimensions of a tensor.
  static let mostDimensions = 4

  /// The numbers of the types that tensors of models here have.
  static let types: [UInt32: TensorType] = [
    0: .float32, 1: .float16, 24: .int8, 25: .int16, 26: .int32, 27: .int64, 28: .float64,
    30: .bfloat16,
  ]

  /// Writes a file in one step: it is complete under its name, or the old file is still there.
  /// - Parameters:
  ///   - tensors: Tensors of at most four dimensions, of types that the format has.
  ///   - settings: The keys and values, in the order of the file.
  ///   - path: The file to write.
  public static func save(
    _ tensors: [Tensor], _ settings: [(key: String, value: GGUFValue)], to path: String
  ) throws(FileError) {
    try replaceFile(path, temporary: path + ".tmp-" + nonce()) { (file) throws(FileError) in
      try write(tensors, settings, to: file)
    }
  }

  static func write(
    _ tensors: [Tensor], _ settings: [(key: String, value: GGUFValue)], to file: FileWriter
  ) throws(FileError) {
    var header = GGUFBytes()
    header.bytes += magic
    header.append(version)
    header.append(UInt64(tensors.count))
    header.append(UInt64(settings.count))
    for (key, value) in settings {
      header.append(key)
      header.append(value)
    }
    var offset = 0
    for tensor in tensors {
      guard let type = types.first(where: { $0.value == tensor.type })?.key else {
        preconditionFailure("\(tensor.name): GGUF has no \(tensor.type.rawValue)")
      }
      precondition(tensor.shape.count <= mostDimensions, "\(tensor.name): \(tensor.shape)")
      header.append(tensor.name)
      header.append(UInt32(tensor.shape.count))
      for extent in tensor.shape.reversed() { header.append(UInt64(extent)) }
      header.append(type)
      header.append(UInt64(offset))
      offset = padded(offset + tensor.memory.count, to: alignment)
    }
    header.bytes += [UInt8](
      repeating: 0, count: padded(header.bytes.count, to: alignment) - header.bytes.count)
    try file.write(header.bytes)
    for tensor in tensors {
      try file.write(tensor.memory)
      let gap = padded(tensor.memory.count, to: alignment) - tensor.memory.count
      try file.write([UInt8](repeating: 0, count: gap))
    }
  }

  /// Returns the next multiple of some number.
  static func padded(_ count: Int, to alignment: Int) -> Int {
    (count + alignment - 1) / alignment * alignment
  }
}

/// A setting of a GGUF file.
public enum GGUFValue: Equatable, Sendable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case uint64(UInt64)
  case int64(Int64)
  case float32(Float)
  case float64(Double)
  case bool(Bool)
  case string(String)
  case strings([String])
  case int32s([Int32])
  /// An array of another type, whose elements are not kept: the number of its type, and its length.
  case others(type: UInt32, count: Int)

  /// The numbers of the format's types.
  enum Code {
    static let uint8: UInt32 = 0
    static let int8: UInt32 = 1
    static let uint16: UInt32 = 2
    static let int16: UInt32 = 3
    static let uint32: UInt32 = 4
    static let int32: UInt32 = 5
    static let float32: UInt32 = 6
    static let bool: UInt32 = 7
    static let string: UInt32 = 8
    static let array: UInt32 = 9
    static let uint64: UInt32 = 10
    static let int64: UInt32 = 11
    static let float64: UInt32 = 12
  }

  /// The value as JSON; nil for an array. A Float becomes the Double with the same shortest decimal digits, so
  /// that 1e-5 stays 1e-5.
  public var json: JSONValue? {
    switch self {
    case .uint8(let value): .integer(Int(value))
    case .int8(let value): .integer(Int(value))
    case .uint16(let value): .integer(Int(value))
    case .int16(let value): .integer(Int(value))
    case .uint32(let value): .integer(Int(value))
    case .int32(let value): .integer(Int(value))
    case .uint64(let value): Int(exactly: value).map { .integer($0) } ?? .unsigned(value)
    case .int64(let value): .integer(Int(value))
    case .float32(let value): .number(Double("\(value)") ?? Double(value))
    case .float64(let value): .number(value)
    case .bool(let value): .bool(value)
    case .string(let value): .string(value)
    case .strings, .int32s, .others: nil
    }
  }
}

/// The bytes of a file's header as they are put together.
private struct GGUFBytes {
  var bytes: [UInt8] = []

  mutating func append<Number: BitwiseCopyable>(_ number: Number) {
    withUnsafeBytes(of: number) { bytes += $0 }
  }

  mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    bytes += Array(text.utf8)
  }

  mutating func append(_ value: GGUFValue) {
    typealias Code = GGUFValue.Code
    switch value {
    case .uint8(let value): append(Code.uint8, value)
    case .int8(let value): append(Code.int8, value)
    case .uint16(let value): append(Code.uint16, value)
    case .int16(let value): append(Code.int16, value)
    case .uint32(let value): append(Code.uint32, value)
    case .int32(let value): append(Code.int32, value)
    case .uint64(let value): append(Code.uint64, value)
    case .int64(let value): append(Code.int64, value)
    case .float32(let value): append(Code.float32, value)
    case .float64(let value): append(Code.float64, value)
    case .bool(let value): append(Code.bool, UInt8(value ? 1 : 0))
    case .string(let text):
      append(Code.string)
      append(text)
    case .strings(let texts):
      append(Code.array, Code.string)
      append(UInt64(texts.count))
      for text in texts { append(text) }
    case .int32s(let numbers):
      append(Code.array, Code.int32)
      append(UInt64(numbers.count))
      for number in numbers { append(number) }
    case .others: preconditionFailure("an array without its elements")
    }
  }

  private mutating func append<Number: BitwiseCopyable>(_ code: UInt32, _ value: Number) {
    append(code)
    append(value)
  }
}
