internal import LinearAlgebra

/// A writer of numbers and lists, one after another, for other ranks of the same program.
struct Packing {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ word: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: word >> shift))
    }
  }

  mutating func add(_ word: UInt32) {
    for shift in stride(from: 0 as UInt32, to: 32, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: word >> shift))
    }
  }

  mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }
  mutating func add(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

  mutating func add(_ numbers: [Int32]) {
    add(numbers.count)
    for number in numbers { add(UInt32(bitPattern: number)) }
  }

  mutating func add(_ numbers: [Real]) {
    add(numbers.count)
    for number in numbers { add(number.bitPattern) }
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
    var word: UInt64 = 0
    for k in 0..<8 { word |= UInt64(bytes[place + k]) << UInt64(8 * k) }
    place += 8
    return word
  }

  private mutating func half() -> UInt32 {
    var word: UInt32 = 0
    for k in 0..<4 { word |= UInt32(bytes[place + k]) << UInt32(8 * k) }
    place += 4
    return word
  }

  mutating func number() -> Int { Int(Int64(bitPattern: word())) }

  mutating func flag() -> Bool {
    place += 1
    return bytes[place - 1] == 1
  }

  mutating func symbols() -> [Int32] { list { Int32(bitPattern: $0.half()) } }
  mutating func numbers() -> [Real] { list { Real(bitPattern: $0.half()) } }

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
