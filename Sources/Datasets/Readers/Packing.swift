internal import LinearAlgebra

/// A writer of numbers and lists, one after another, for other ranks of the same program. Numbers
/// have the bytes that they have in memory.
struct Packing {
  private(set) var bytes: [UInt8] = []

  /// Makes room for more bytes, which would otherwise be copied as they become many.
  mutating func reserve(_ more: Int) { bytes.reserveCapacity(bytes.count + more) }

  mutating func add(_ word: UInt64) { withUnsafeBytes(of: word) { bytes += $0 } }

  mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }
  mutating func add(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

  mutating func add(_ numbers: [Int32]) {
    add(numbers.count)
    numbers.withUnsafeBytes { bytes += $0 }
  }

  mutating func add(_ numbers: [Real]) {
    add(numbers.count)
    numbers.withUnsafeBytes { bytes += $0 }
  }

  mutating func add(_ text: some Collection<UInt8>) {
    add(text.count)
    bytes += text
  }

  mutating func add<Element>(
    _ list: some Collection<Element>, _ each: (Element, inout Packing) -> Void
  ) {
    add(list.count)
    for element in list { each(element, &self) }
  }
}

/// A reader of the numbers that `Packing` has written, in the same order.
struct Unpacking {
  private let bytes: [UInt8]
  private var place = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func word() -> UInt64 {
    place += 8
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place - 8, as: UInt64.self) }
  }

  mutating func number() -> Int { Int(Int64(bitPattern: word())) }

  mutating func flag() -> Bool {
    place += 1
    return bytes[place - 1] == 1
  }

  mutating func symbols() -> [Int32] { plain() }
  mutating func numbers() -> [Real] { plain() }

  /// Returns a list of numbers, which is copied as a whole.
  private mutating func plain<Number: BitwiseCopyable>() -> [Number] {
    let count = number()
    guard count > 0 else { return [] }
    let length = count * MemoryLayout<Number>.size
    place += length
    let part = place - length..<place
    return [Number](unsafeUninitializedCapacity: count) { numbers, initialized in
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(numbers).copyMemory(from: .init(rebasing: $0[part]))
      }
      initialized = count
    }
  }

  mutating func text() -> ArraySlice<UInt8> {
    let count = number()
    place += count
    return bytes[place - count..<place]
  }

  mutating func list<Element>(_ each: (inout Unpacking) -> Element) -> [Element] {
    let count = number()
    var list: [Element] = []
    list.reserveCapacity(count)
    for _ in 0..<count { list.append(each(&self)) }
    return list
  }
}
