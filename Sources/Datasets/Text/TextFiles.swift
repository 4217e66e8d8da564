internal import Glibc

/// The files of a text, in the order in which they are read.
///
/// A folder stands for all regular files in it and in its subfolders, in the byte order of their
/// paths, without hidden and empty ones. A file that several links point to is read once.
public struct TextFiles: Sendable {
  struct File: Sendable {
    let path: String
    let size: Int
    /// The time of the last change, in nanoseconds since 1970.
    let modified: Int
    /// The identity of the file, the same for all links to it.
    fileprivate let identity: Identity
  }

  fileprivate struct Identity: Hashable, Sendable {
    let device: UInt
    let inode: UInt
  }

  let files: [File]

  /// The name of this text in messages.
  public let name: String

  /// Finds the files at paths of files and folders.
  /// - Throws: `DataError` if a path does not exist or cannot be read, if a file is empty, or if a
  ///   folder has no text.
  public init(_ paths: [String]) throws(DataError) {
    guard let first = paths.first else {
      throw DataError(
        "no training text is given: set data.train to a file, a list of files or a folder")
    }
    var files: [File] = []
    for path in paths {
      let (file, mode) = try Self.examine(path)
      if mode == S_IFDIR {
        var seen: Set<Identity> = []
        let found = try Self.walk(path).filter { $0.size > 0 && seen.insert($0.identity).inserted }
        guard !found.isEmpty else {
          throw DataError(
            "the folder \(path) has no file with text in it: put text files there or name another")
        }
        files += found
      } else {
        guard mode == S_IFREG else {
          throw DataError("\(path) is neither a file nor a folder: give the path of a text")
        }
        guard file.size > 0 else {
          throw DataError("\(path) is empty: give a file with text in it")
        }
        files.append(file)
      }
    }
    self.files = files
    name = paths.count == 1 ? first : "\(first) and \(paths.count - 1) more"
  }

  private static func examine(_ path: String) throws(DataError) -> (File, mode_t) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .unreadable(path) }
    let modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    let file = File(
      path: path, size: Int(status.st_size), modified: modified,
      identity: Identity(device: UInt(status.st_dev), inode: UInt(status.st_ino)))
    return (file, status.st_mode & S_IFMT)
  }

  private static func walk(_ folder: String) throws(DataError) -> [File] {
    var found: [File] = []
    for name in try Self.names(in: folder) {
      let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
      var link = stat()
      guard lstat(path, &link) == 0 else { throw .unreadable(path) }
      if link.st_mode & S_IFMT == S_IFDIR {
        found += try walk(path)
        continue
      }
      // Links to folders are not followed, because they may lead back here; nor are broken links.
      guard let (file, mode) = try? examine(path), mode == S_IFREG else { continue }
      found.append(file)
    }
    return found
  }

  private static func names(in folder: String) throws(DataError) -> [String] {
    guard let names = try Datasets.names(inFolder: folder) else {
      throw .unreadable(folder, ENOTDIR)
    }
    return names
  }

  /// Returns the number of characters (Unicode scalars) of a text in UTF-8.
  public func characterCount() throws(DataError) -> Int {
    var count = 0
    try forEach(utf8: false) { (text) throws(DataError) in
      // Every byte that does not continue a scalar begins one.
      for i in text.indices where text[i] & 0xC0 != 0x80 { count += 1 }
    }
    return count
  }

  /// Adds the absolute paths of the files, not their contents, to a fingerprint.
  func identify(into fingerprint: inout Fingerprint) {
    for file in files {
      if let absolute = realpath(file.path, nil) {
        fingerprint.add(String(cString: absolute))
        free(absolute)
      } else {
        fingerprint.add(file.path)
      }
    }
  }

  /// A hash of the sizes of the files.
  var sizes: UInt64 {
    var fingerprint = Fingerprint()
    for file in files { fingerprint.add(file.size) }
    return fingerprint.value
  }

  /// A hash of the times of the last changes.
  var times: UInt64 {
    var fingerprint = Fingerprint()
    for file in files { fingerprint.add(file.modified) }
    return fingerprint.value
  }

  /// Calls `body` with the bytes of one file after another, checked to be UTF-8 if `utf8` is true.
  /// - Parameter keepingMark: True if a byte order mark at the start of a file is a part of its
  ///   text.
  func forEach(
    utf8: Bool, keepingMark: Bool = false, _ body: (Span<UInt8>) throws(DataError) -> Void
  ) throws(DataError) {
    for file in files {
      let mapped = try MappedFile(file.path)
      guard mapped.count == file.size else {
        throw DataError("\(file.path) changed while it was read: start again when it is complete")
      }
      try mapped.withText { (text) throws(DataError) in
        if utf8 { try requireUTF8(text, of: file.path) }
        try body(text.extracting((keepingMark ? 0 : markLength(of: text))..<text.count))
      }
    }
  }
}

/// Returns the names in a folder that are not hidden, in the order of their bytes; nil for a file.
/// - Throws: `DataError` if the path does not exist or cannot be read.
func names(inFolder folder: String) throws(DataError) -> [String]? {
  guard let directory = opendir(folder) else {
    if errno == ENOTDIR { return nil }
    throw .unreadable(folder)
  }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    if !name.hasPrefix(".") { names.append(name) }
  }
  return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}
