/// A writer of numbers and bytes for a message between ranks of one job.
struct MessageWriter {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ number: Int) {
    withUnsafeBytes(of: UInt64(truncatingIfNeeded: number).littleEndian) { bytes += $0 }
  }

  mutating func add(_ part: [UInt8]) {
    add(part.count)
    bytes += part
  }
}

/// A reader of such a message.
struct MessageReader {
  private let all: [UInt8]
  private var place = 0

  init(_ bytes: [UInt8]) { all = bytes }

  mutating func number() -> Int {
    precondition(place + 8 <= all.count, "a message of \(all.count) bytes ends at \(place)")
    defer { place += 8 }
    return all.withUnsafeBytes {
      Int(
        truncatingIfNeeded: UInt64(
          littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
    }
  }

  mutating func bytes() -> [UInt8] {
    let count = number()
    precondition(place + count <= all.count, "a message of \(all.count) bytes lacks \(count)")
    defer { place += count }
    return Array(all[place..<place + count])
  }
}
