internal import Glibc

/// A file whose bytes are mapped into memory for reading.
///
/// A file that somebody shortens while it is mapped ends the process (SIGBUS): whoever maps compares
/// `count` with the size that it expects, and files of this program are only ever replaced whole.
final class MappedFile: @unchecked Sendable {
  let path: String
  let bytes: UnsafeRawBufferPointer

  var count: Int { bytes.count }

  init(_ path: String) throws(DataError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .unreadable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DataError("\(path) is not a regular file: give the path of a file")
    }
    self.path = path
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED
    else { throw .unreadable(path) }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    if let start = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }

  func withText<Result>(
    _ body: (Span<UInt8>) throws(DataError) -> Result
  ) throws(DataError) -> Result {
    try body(bytes.bindMemory(to: UInt8.self).span)
  }
}
