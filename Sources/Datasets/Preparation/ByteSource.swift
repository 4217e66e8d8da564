internal import CZlib
internal import CZstd
internal import Glibc

/// The bytes of one text from front to back, unpacked.
protocol ByteSource: AnyObject {
  /// Appends up to `count` bytes.
  /// - Returns: false at the end.
  /// - Throws: `DataError` if the file cannot be read, or is damaged.
  func read(_ count: Int, into bytes: inout [UInt8]) throws(DataError) -> Bool
  /// The bytes of the file that were used so far, packed as they are.
  var consumed: Int { get }
}

/// A file, or standard input, as it is.
final class PlainSource: ByteSource {
  private let path: String
  private let descriptor: Int32
  private(set) var consumed = 0

  /// Opens a regular file.
  init(_ path: String) throws(DataError) {
    self.path = path
    // O_NONBLOCK: opening a pipe would otherwise wait for a writer.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw .unreadable(path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw DataError("\(path) is not a regular file: give the path of a file")
    }
  }

  /// Reads standard input.
  init() {
    path = "standard input"
    descriptor = STDIN_FILENO
  }

  deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

  func read(_ count: Int, into bytes: inout [UInt8]) throws(DataError) -> Bool {
    let got = try bytes.appendUnfilled(count) { memory in
      var got: Int
      repeat {
        got = Glibc.read(descriptor, memory.baseAddress, memory.count)
      } while got < 0 && errno == EINTR
      return got
    } orThrow: {
      DataError.unreadable(path)
    }
    consumed += got
    return got > 0
  }

  /// Appends the bytes of a part of the file.
  /// - Throws: `DataError` if the file has become shorter.
  func read(_ part: Range<Int>, into bytes: inout [UInt8]) throws(DataError) {
    var place = part.lowerBound
    while place < part.upperBound {
      let got = try bytes.appendUnfilled(part.upperBound - place) { memory in
        var got: Int
        repeat {
          got = pread(descriptor, memory.baseAddress, memory.count, place)
        } while got < 0 && errno == EINTR
        return got
      } orThrow: {
        DataError.unreadable(path)
      }
      guard got > 0 else {
        throw DataError("\(path) changed while it was read: start again when it is complete")
      }
      place += got
    }
  }
}

extension [UInt8] {
  /// Appends what `fill` writes into memory for `count` bytes.
  /// - Returns: the number of bytes that it wrote.
  fileprivate mutating func appendUnfilled(
    _ count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int, orThrow error: () -> DataError
  ) throws(DataError) -> Int {
    var got = 0
    let filled = [UInt8](unsafeUninitializedCapacity: count) { memory, filled in
      got = fill(UnsafeMutableRawBufferPointer(memory))
      filled = Swift.max(got, 0)
    }
    if isEmpty { self = filled } else { append(contentsOf: filled) }
    if got < 0 { throw error() }
    return got
  }
}

/// The unpacked bytes of a file, by a library that reads and writes memory piece by piece.
private class PackedSource {
  let path: String
  let file: PlainSource
  /// The packed bytes that were read last, and the place of the next of them.
  var packed: [UInt8] = []
  var place = 0
  var isAtEnd = false

  init(_ path: String) throws(DataError) {
    self.path = path
    file = try PlainSource(path)
    packed.reserveCapacity(1 << 17)
  }

  var consumed: Int { file.consumed }

  /// Reads more packed bytes if none are left.
  func refill() throws(DataError) {
    guard place == packed.count, !isAtEnd else { return }
    packed.removeAll(keepingCapacity: true)
    place = 0
    isAtEnd = try !file.read(1 << 17, into: &packed)
  }

  func damaged(_ what: String) -> DataError {
    DataError("\(path) is damaged (\(what)): copy it again, or leave it out")
  }
}

/// A file of one or several members of gzip.
private final class GzipSource: PackedSource, ByteSource {
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  /// True between two members.
  private var isBetween = true

  override init(_ path: String) throws(DataError) {
    stream.initialize(to: z_stream())
    try super.init(path)
    // 16: the form of gzip, not that of zlib.
    let code = inflateInit2_(
      stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "inflateInit2: \(code)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func read(_ count: Int, into bytes: inout [UInt8]) throws(DataError) -> Bool {
    while true {
      try refill()
      if place == packed.count {
        guard isBetween else { throw damaged("it ends in the middle of a member of gzip") }
        return false
      }
      var code: Int32 = Z_OK
      let got = try bytes.appendUnfilled(count) { memory in
        packed.withUnsafeMutableBufferPointer { input in
          stream.pointee.next_in = input.baseAddress! + place
          stream.pointee.avail_in = UInt32(input.count - place)
          stream.pointee.next_out = memory.bindMemory(to: UInt8.self).baseAddress
          stream.pointee.avail_out = UInt32(memory.count)
          code = inflate(stream, Z_NO_FLUSH)
          place = input.count - Int(stream.pointee.avail_in)
          return memory.count - Int(stream.pointee.avail_out)
        }
      } orThrow: {
        damaged("")
      }
      isBetween = false
      if code == Z_STREAM_END {
        isBetween = true
        inflateReset(stream)
      } else if code != Z_OK && code != Z_BUF_ERROR {
        throw damaged("gzip finds an error after \(consumed) bytes or before")
      }
      if got > 0 { return true }
    }
  }
}

/// A file of one or several frames of zstd.
private final class ZstdSource: PackedSource, ByteSource {
  private let stream: OpaquePointer
  private var isBetween = true
  /// True if the library may hold bytes that it could not yet hand over.
  private var mayHoldMore = false

  override init(_ path: String) throws(DataError) {
    stream = ZSTD_createDStream()
    try super.init(path)
  }

  deinit { ZSTD_freeDStream(stream) }

  func read(_ count: Int, into bytes: inout [UInt8]) throws(DataError) -> Bool {
    while true {
      try refill()
      if place == packed.count && !mayHoldMore {
        guard isBetween else { throw damaged("it ends in the middle of a frame of zstd") }
        return false
      }
      var code = 0
      let got = try bytes.appendUnfilled(count) { memory in
        packed.withUnsafeBufferPointer { input in
          var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: place)
          var to = ZSTD_outBuffer(dst: memory.baseAddress, size: memory.count, pos: 0)
          code = ZSTD_decompressStream(stream, &to, &from)
          place = from.pos
          return to.pos
        }
      } orThrow: {
        damaged("")
      }
      guard ZSTD_isError(code) == 0 else {
        throw damaged("zstd finds an error: \(String(cString: ZSTD_getErrorName(code)))")
      }
      isBetween = code == 0
      mayHoldMore = got == count && code != 0
      if got > 0 { return true }
      if place == packed.count { mayHoldMore = false }
    }
  }
}

/// The form in which a file is packed, by the end of its name.
enum Compression: String, Codable, Sendable {
  case none, gzip, zstd

  init(ofName name: String) {
    self = name.hasSuffix(".gz") ? .gzip : name.hasSuffix(".zst") ? .zstd : .none
  }

  func open(_ path: String) throws(DataError) -> any ByteSource {
    switch self {
    case .none: try PlainSource(path)
    case .gzip: try GzipSource(path)
    case .zstd: try ZstdSource(path)
    }
  }
}
