/// The texts to prepare, in the order in which they are encoded.
public struct PreparedInputs: Sendable {
  struct File: Sendable {
    let path: String
    /// The bytes of the file as it is, and the time of its last change; 0 for standard input.
    let size: Int
    let modified: Int
    let compression: Compression
    let isJSONLines: Bool
    var isStandardInput: Bool { path == "-" }
  }

  let files: [File]
  /// The texts as they were given: each with its files, their bytes, and the newest time of a change.
  public let given: [Given]

  public struct Given: Codable, Sendable, Equatable {
    public let path: String
    public let files: Int
    public let bytes: Int
    /// Nanoseconds since 1970.
    public let modified: Int
    /// The hash of all paths, sizes and times.
    public let hash: String
  }

  /// Finds the files of paths, folders and globs; `-` is standard input.
  /// - Throws: `DataError` if a path does not exist or is empty, or nothing matches a glob.
  public init(_ paths: [String], jsonLines: Bool) throws(DataError) {
    var files: [File] = []
    var given: [Given] = []
    for path in paths {
      let first = files.count
      if path == "-" {
        guard !files.contains(where: \.isStandardInput) else {
          throw DataError("standard input (-) is given twice: give it once")
        }
        files.append(
          File(path: "-", size: 0, modified: 0, compression: .none, isJSONLines: jsonLines))
      } else {
        for path in try matches(of: path) {
          for file in try TextFiles([path]).files {
            files.append(Self.file(file, jsonLines: jsonLines))
          }
        }
      }
      given.append(Self.given(path, files[first...]))
    }
    self.files = files
    self.given = given
  }

  private static func file(_ file: TextFiles.File, jsonLines: Bool) -> File {
    let compression = Compression(ofName: file.path)
    var name = file.path[...]
    if compression != .none { name = name[..<name.lastIndex(of: ".")!] }
    return File(
      path: file.path, size: file.size, modified: file.modified, compression: compression,
      isJSONLines: jsonLines || name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson"))
  }

  private static func given(_ path: String, _ files: ArraySlice<File>) -> Given {
    var hash = Fingerprint()
    for file in files {
      hash.add(file.path)
      hash.add(file.size)
      hash.add(file.modified)
    }
    return Given(
      path: path, files: files.count, bytes: files.reduce(0) { $0 + $1.size },
      modified: files.map(\.modified).max() ?? 0, hash: hash.hexadecimal)
  }

  /// The number of files.
  public var count: Int { files.count }
  /// The bytes of all files as they are; nil with standard input.
  public var size: Int? {
    files.contains(where: \.isStandardInput) ? nil : files.reduce(0) { $0 + $1.size }
  }
  /// True if a text is JSON lines.
  public var hasJSONLines: Bool { files.contains(where: \.isJSONLines) }
  /// True if a text is not JSON lines.
  public var hasPlainText: Bool { files.contains { !$0.isJSONLines } }

  /// The bytes of all files before this one.
  func sizeBefore(_ file: Int) -> Int { files[..<file].reduce(0) { $0 + $1.size } }
}
