internal import Glibc

/// A file mapped into memory for reading.
package final class FileMapping: @unchecked Sendable {
  package let bytes: UnsafeRawBufferPointer

  /// - Throws: `FileError` if it cannot be read, or is no regular file.
  package init(_ path: String) throws(FileError) {
    let descriptor = try openRegularFile(path)
    defer { close(descriptor) }
    var info = stat()
    if fstat(descriptor, &info) != 0 { throw .reading(path) }
    let size = Int(info.st_size)
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else { throw .reading(path) }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  /// Returns true if the file begins with some bytes.
  package func begins(with start: [UInt8]) -> Bool {
    // Without this the mapping could end before its bytes are read.
    withExtendedLifetime(self) { bytes.starts(with: start) }
  }

  deinit {
    if let start = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }
}
