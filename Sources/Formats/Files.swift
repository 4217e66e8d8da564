internal import Glibc
internal import Synchronization

/// The number of bytes that a thread has written, which other threads may read meanwhile.
public final class WriteProgress: Sendable {
  private let count = Atomic<Int>(0)

  package init() {}

  /// The bytes so far.
  package var bytes: Int { count.load(ordering: .relaxed) }

  func add(_ bytes: Int) { count.wrappingAdd(bytes, ordering: .relaxed) }
}

/// A new file that is written from front to back while its size and CRC-32 are computed.
///
/// Nothing is buffered: memory goes straight to the system, so that a file may be larger than the
/// free memory. A process with a limit on file sizes must ignore SIGXFSZ, to get an error instead
/// of being killed.
public final class FileWriter {
  public let path: String
  /// The number of bytes written so far.
  public private(set) var size = 0
  /// The CRC-32 (zlib's) of the bytes written so far.
  public private(set) var checksum: UInt32 = 0
  private var descriptor: Int32
  private let progress: WriteProgress?

  /// Creates a file that must not exist yet.
  /// - Parameter progress: The count to which the bytes of this file are added.
  package init(
    creating path: String, progress: WriteProgress? = nil
  ) throws(FileError) {
    self.path = path
    self.progress = progress
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw .writing(path) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Appends bytes.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      // In pieces that stay in the cache between checksum and copy.
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
      let written = Glibc.write(descriptor, piece.baseAddress, piece.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw .writing(path)
      }
      checksum = extend(checksum, UnsafeRawBufferPointer(rebasing: piece[..<written]))
      size += written
      progress?.add(written)
      rest = rest.dropFirst(written)
    }
  }

  /// Appends bytes.
  public func write(_ bytes: [UInt8]) throws(FileError) {
    // `withUnsafeBytes` loses the type of a thrown error; `Result` keeps it.
    try bytes.withUnsafeBytes { bytes in
      Result { () throws(FileError) in try write(bytes) }
    }.get()
  }

  /// Returns once everything is on the disk; closes the file.
  package func finish() throws(FileError) {
    // A failed fsync is not repeated, because the system may have dropped the pages that failed.
    if fsync(descriptor) != 0 { throw .writing(path) }
    let closing = descriptor
    descriptor = -1
    if close(closing) != 0 && errno != EINTR { throw .writing(path) }
  }
}

/// The kind of file at a path; symbolic links are followed.
package enum FileKind {
  case nothing, file, folder, other

  package init(_ path: String) {
    var info = stat()
    guard stat(path, &info) == 0 else {
      self = .nothing
      return
    }
    switch info.st_mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .folder
    default: self = .other
    }
  }
}

/// Returns the size of a file in bytes, or nil if there is none.
package func fileSize(_ path: String) -> Int? {
  var info = stat()
  guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
  return Int(info.st_size)
}

/// Opens a regular file for reading. Other files are refused: a pipe could block, a device could be
/// read forever.
func openRegularFile(_ path: String) throws(FileError) -> Int32 {
  // O_NONBLOCK: opening a pipe would otherwise wait for a writer.
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
  if descriptor < 0 { throw .reading(path) }
  var info = stat()
  if fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG { return descriptor }
  close(descriptor)
  throw FileError(
    .damaged, path, "\(path) is not a regular file: give the path of a file, or move it away")
}

/// Reads a whole small file.
package func readFile(_ path: String) throws(FileError) -> [UInt8] {
  var contents: [UInt8] = []
  try readPieces(path) { contents.append(contentsOf: $0) }
  return contents
}

/// Reads a file and returns its size and CRC-32. The file is not mapped, so that a failing disk
/// gives an error, not a signal.
package func measureFile(_ path: String) throws(FileError) -> (size: Int, checksum: UInt32) {
  var size = 0
  var checksum: UInt32 = 0
  try readPieces(path) {
    checksum = extend(checksum, $0)
    size += $0.count
  }
  return (size, checksum)
}

private func readPieces(
  _ path: String, _ body: (UnsafeRawBufferPointer) -> Void
) throws(FileError) {
  let descriptor = try openRegularFile(path)
  defer { close(descriptor) }
  let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
  defer { piece.deallocate() }
  while true {
    let count = read(descriptor, piece.baseAddress, piece.count)
    if count < 0 {
      if errno == EINTR { continue }
      throw .reading(path)
    }
    if count == 0 { return }
    body(UnsafeRawBufferPointer(rebasing: piece[..<count]))
  }
}
