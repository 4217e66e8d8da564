internal import Glibc

/// A file whose bytes are mapped into memory for reading.
///
/// If another program shortens the file while it is mapped, the process gets a SIGBUS, for which
/// the command prints a sentence. Code that maps a file compares `count` with the size that it
/// expects. Files of this program are always replaced as a whole.
final class MappedFile: @unchecked Sendable {
  let path: String
  let bytes: UnsafeRawBufferPointer
  let stamp: Stamp

  /// The properties by which a change of a file is detected.
  struct Stamp: Equatable {
    let size, inode: Int
    /// The times of the last change of the contents, and of the file's status, in nanoseconds since
    /// 1970.
    let modified, changed: Int

    init(_ status: stat) {
      func nanoseconds(_ time: timespec) -> Int { time.tv_sec * 1_000_000_000 + time.tv_nsec }
      size = Int(status.st_size)
      inode = Int(truncatingIfNeeded: status.st_ino)
      modified = nanoseconds(status.st_mtim)
      changed = nanoseconds(status.st_ctim)
    }

    /// True if the last change is so old that another change would have a different time.
    var isSettled: Bool {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      // File systems take times from a clock that advances in steps of some milliseconds, or of
      // seconds.
      let step = changed % 1_000_000_000 == 0 ? 2_000_000_000 : 20_000_000
      return now.tv_sec * 1_000_000_000 + now.tv_nsec - changed > step
    }
  }

  var count: Int { bytes.count }

  init(_ path: String) throws(DataError) {
    // O_NONBLOCK: opening a pipe would otherwise wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw .unreadable(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .unreadable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DataError("\(path) is not a regular file: give the path of a file")
    }
    self.path = path
    stamp = Stamp(status)
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

  /// Asks the system to read bytes from the disk, without waiting for them.
  func prefetch(_ range: Range<Int>) { advise(range, MADV_WILLNEED) }

  /// Gives back this process's memory of bytes that were read; they are read again if they are needed.
  func release(_ range: Range<Int>) {
    // A page that is read brings others around it, of up to 64 KiB.
    let around = 1 << 16
    advise(max(range.lowerBound - around, 0)..<range.upperBound + around, MADV_DONTNEED)
  }

  private func advise(_ range: Range<Int>, _ advice: Int32) {
    let page = Int(getpagesize())
    let first = range.lowerBound / page * page
    guard let start = bytes.baseAddress, first < min(range.upperBound, count) else { return }
    // Advice that is refused changes nothing.
    madvise(
      UnsafeMutableRawPointer(mutating: start + first), min(range.upperBound, count) - first, advice
    )
  }

  /// Calls `body` with the bytes, without a byte order mark at their start.
  func withTextAfterMark<Result>(
    _ body: (Span<UInt8>) throws(DataError) -> Result
  ) throws(DataError) -> Result {
    try withText { (text) throws(DataError) in
      try body(text.extracting(markLength(of: text)..<text.count))
    }
  }

  func withText<Result>(
    _ body: (Span<UInt8>) throws(DataError) -> Result
  ) throws(DataError) -> Result {
    try body(bytes.bindMemory(to: UInt8.self).span)
  }
}
