internal import Glibc

/// Returns the paths that a pattern such as `shards/*.tokens` stands for, in the order of their bytes.
/// A path without `*`, `?` and `[`, or of a file that exists, stands for itself.
/// - Throws: `DataError` if nothing matches.
func matches(of pattern: String) throws(DataError) -> [String] {
  guard pattern.contains(where: { "*?[".contains($0) }), access(pattern, F_OK) != 0 else {
    return [pattern]
  }
  var found = glob_t()
  defer { globfree(&found) }
  guard glob(pattern, GLOB_NOSORT, nil, &found) == 0 else {
    throw DataError(
      "\(pattern) matches no file: check the pattern, which is relative to the folder where the "
        + "command was started")
  }
  let paths = (0..<Int(found.gl_pathc)).compactMap { index in
    found.gl_pathv[index].map { String(cString: $0) }
  }
  return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// Returns true if there is a file or a folder at a path.
func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
