internal import Formats
internal import Foundation
internal import Glibc
internal import ProtocolBuffers

/// A file of events that TensorBoard reads, each a record with checksums (TFRecord).
struct EventFile {
  private let handle: FileHandle
  private let path: String
  private var pending: [UInt8] = []
  private var flushed = 0.0

  /// Creates a file in a folder, which is made if it is missing. Its name tells the time, the host and
  /// the process.
  /// - Throws: `FileError` if it cannot be created.
  init(in folder: String) throws {
    try createFolders(folder)
    var host = [CChar](repeating: 0, count: 256)
    gethostname(&host, host.count - 1)
    let name = String(
      decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // Two files of one second are told apart by the process, or by a number.
    let stem = "\(folder)/events.out.tfevents.\(Int(Self.now)).\(name).\(getpid())"
    path = (0...).lazy.map { "\(stem).\($0)" }.first { FileKind($0) == .nothing }!
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let handle = FileHandle(forWritingAtPath: path)
    else { throw FileError(.cannotCreate, path, "\(path) cannot be created") }
    self.handle = handle
    try append(step: nil) { $0.fileVersion = "brain.Event:2" }
    try flush()
  }

  static var now: Double { Date().timeIntervalSince1970 }

  /// Appends an event; it reaches the file within about a second of further events, or with `flush`.
  mutating func append(step: Int?, _ fill: (inout Tensorboard_Event) -> Void) throws {
    var event = Tensorboard_Event()
    event.wallTime = Self.now
    event.step = Int64(step ?? 0)
    fill(&event)
    let bytes = try event.serialized
    let length = Self.bytes(of: UInt64(bytes.count))
    pending += length + Self.masked(length) + bytes + Self.masked(bytes)
    if event.wallTime - flushed > 1 || pending.count > 1 << 16 { try flush() }
  }

  /// Writes the events that wait.
  mutating func flush() throws {
    flushed = Self.now
    guard !pending.isEmpty else { return }
    let bytes = Data(pending)
    pending.removeAll(keepingCapacity: true)
    let begin = try handle.offset()
    try handle.write(contentsOf: bytes)
    guard try handle.offset() == begin + UInt64(bytes.count) else {
      throw FileError(.cannotWrite, path, "\(path) cannot be written")
    }
  }

  /// The checksum of a part of a record, rotated and shifted so that a checksum of checksums means
  /// something.
  private static func masked(_ bytes: [UInt8]) -> [UInt8] {
    let checksum = castagnoli(bytes)
    let masked = ((checksum >> 15) | (checksum << 17)) &+ 0xA282_EAD8
    return Self.bytes(of: masked)
  }

  /// The bytes of a number, the lowest first.
  private static func bytes(of number: some FixedWidthInteger) -> [UInt8] {
    (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}
