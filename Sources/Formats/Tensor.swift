internal import Glibc
public import LinearAlgebra

/// The type of a tensor's elements, with safetensors' names and in its order.
public enum TensorType: String, CaseIterable, Sendable {
  case bool = "BOOL"
  case float4 = "F4"
  case float6E2M3 = "F6_E2M3"
  case float6E3M2 = "F6_E3M2"
  case uint8 = "U8"
  case int8 = "I8"
  case float8E5M2 = "F8_E5M2"
  case float8E4M3 = "F8_E4M3"
  case float8E8M0 = "F8_E8M0"
  case float8E4M3FNUZ = "F8_E4M3FNUZ"
  case float8E5M2FNUZ = "F8_E5M2FNUZ"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case complex64 = "C64"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// The size of one element, in bits.
  public var bits: Int {
    switch self {
    case .float4: 4
    case .float6E2M3, .float6E3M2: 6
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3, .float8E8M0, .float8E4M3FNUZ,
      .float8E5M2FNUZ:
      8
    case .int16, .uint16, .float16, .bfloat16: 16
    case .int32, .uint32, .float32: 32
    case .complex64, .float64, .int64, .uint64: 64
    }
  }

  /// Returns the number of bytes of a tensor, or nil if it is not a whole number or overflows.
  package func size(of shape: [Int]) -> Int? {
    var bits = bits
    for extent in shape {
      let (product, overflows) = bits.multipliedReportingOverflow(by: extent)
      if overflows { return nil }
      bits = product
    }
    return bits.isMultiple(of: 8) ? bits / 8 : nil
  }
}

/// A number type with a type of its own in tensor files.
public protocol TensorElement: BitwiseCopyable, Sendable {
  static var tensorType: TensorType { get }
}

extension Float: TensorElement { public static var tensorType: TensorType { .float32 } }
extension Double: TensorElement { public static var tensorType: TensorType { .float64 } }
extension Int8: TensorElement { public static var tensorType: TensorType { .int8 } }
extension UInt8: TensorElement { public static var tensorType: TensorType { .uint8 } }
extension Int16: TensorElement { public static var tensorType: TensorType { .int16 } }
extension UInt16: TensorElement { public static var tensorType: TensorType { .uint16 } }
extension Int32: TensorElement { public static var tensorType: TensorType { .int32 } }
extension UInt32: TensorElement { public static var tensorType: TensorType { .uint32 } }
extension Int64: TensorElement { public static var tensorType: TensorType { .int64 } }
extension UInt64: TensorElement { public static var tensorType: TensorType { .uint64 } }

/// A named array: a view of memory, from which a file is written or into which a file is mapped.
public struct Tensor: @unchecked Sendable {
  public let name: String
  public let type: TensorType
  /// The dimensions, slowest first; empty for a single number.
  public let shape: [Int]
  /// The elements, slowest dimension first. In a file of another program they may be unaligned.
  public let memory: UnsafeRawBufferPointer
  /// The object that keeps the memory alive.
  private let owner: AnyObject?

  /// Makes a view of memory that `owner` keeps alive.
  public init(
    _ name: String, _ type: TensorType, shape: [Int], memory: UnsafeRawBufferPointer,
    keeping owner: AnyObject?
  ) {
    precondition(
      type.size(of: shape) == memory.count,
      "\(name): \(memory.count) bytes for \(type.rawValue)\(shape)")
    self.name = name
    self.type = type
    self.shape = shape
    self.memory = memory
    self.owner = owner
  }

  /// Makes a view of a part of a buffer.
  public init<Element: TensorElement>(
    _ name: String, shape: [Int], _ buffer: Buffer<Element>, from offset: Int = 0
  ) {
    let part = buffer.elements(from: offset, count: shape.reduce(1, *))
    self.init(
      name, Element.tensorType, shape: shape, memory: UnsafeRawBufferPointer(part), keeping: buffer)
  }

  /// Makes a copy of some numbers.
  public init<Element: TensorElement>(_ name: String, shape: [Int], copying values: [Element]) {
    precondition(
      shape.reduce(1, *) == values.count, "\(name): \(values.count) numbers for shape \(shape)")
    let buffer = Buffer<Element>(count: values.count)
    _ = buffer.elements().update(fromContentsOf: values)
    self.init(name, shape: shape, buffer)
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// Returns the elements in place, or nil if they are of another type or not aligned for it. Valid
  /// as long as the tensor.
  public func view<Element: TensorElement>(
    as type: Element.Type = Element.self
  ) -> UnsafeBufferPointer<Element>? {
    guard self.type == Element.tensorType,
      Int(bitPattern: memory.baseAddress).isMultiple(of: MemoryLayout<Element>.alignment)
    else { return nil }
    return memory.bindMemory(to: Element.self)
  }

  /// Returns true if another tensor has the same type, shape and bytes.
  package func hasSameElements(as other: Tensor) -> Bool {
    guard type == other.type, shape == other.shape else { return false }
    guard let first = memory.baseAddress, let second = other.memory.baseAddress else { return true }
    return memcmp(first, second, memory.count) == 0
  }

  /// Copies the elements, converted from any floating-point type that PyTorch trains in; returns
  /// false if the types do not fit. Nothing is converted if the types are equal.
  package func copy<Element: TensorElement>(into target: UnsafeMutableBufferPointer<Element>)
    -> Bool
  {
    precondition(target.count == count, "\(name): \(count) elements into \(target.count)")
    if type == Element.tensorType {
      UnsafeMutableRawBufferPointer(target).copyMemory(from: memory)
      return true
    }
    if let target = target as? UnsafeMutableBufferPointer<Float> { return convert(into: target) }
    if let target = target as? UnsafeMutableBufferPointer<Double> { return convert(into: target) }
    return false
  }

  /// The numbers of a tensor of a floating-point type; nil for other types.
  package var floats: [Float]? {
    guard [.float32, .float64, .float16, .bfloat16].contains(type) else { return nil }
    return [Float](unsafeUninitializedCapacity: count) { target, written in
      written = count
      _ = copy(into: UnsafeMutableBufferPointer(rebasing: target[..<count]))
    }
  }

  private func convert<Target: BinaryFloatingPoint>(
    into target: UnsafeMutableBufferPointer<Target>
  ) -> Bool {
    for i in 0..<count {
      switch type {
      case .float64: target[i] = Target(element(i, as: Double.self))
      case .float32: target[i] = Target(element(i, as: Float.self))
      case .float16: target[i] = Target(element(i, as: Float16.self))
      case .bfloat16:
        target[i] = Target(Float(bitPattern: UInt32(element(i, as: UInt16.self)) << 16))
      default: return false
      }
    }
    return true
  }

  private func element<Element: BitwiseCopyable>(_ i: Int, as type: Element.Type) -> Element {
    memory.loadUnaligned(fromByteOffset: i * MemoryLayout<Element>.size, as: type)
  }
}
