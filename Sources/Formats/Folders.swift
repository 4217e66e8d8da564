internal import Glibc

/// Creates a folder and its missing parents, so that they survive a power cut.
package func createFolders(_ path: String) throws(FileError) {
  switch FileKind(path) {
  case .folder: return
  case .file, .other: throw .writing(path, ENOTDIR)
  case .nothing: break
  }
  let parent = parent(of: path)
  if parent != path { try createFolders(parent) }
  try createFolder(path)
  try syncFolder(parent)
}

/// Creates one folder, which must not exist yet.
package func createFolder(_ path: String) throws(FileError) {
  if mkdir(path, 0o777) != 0 { throw .writing(path) }
}

/// Returns the folder that contains a path: `a/b` for `a/b/c`, `.` for `a`.
package func parent(of path: String) -> String {
  var path = path[...]
  while path.count > 1 && path.last == "/" { path.removeLast() }
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Returns once the names in a folder are on the disk.
package func syncFolder(_ path: String) throws(FileError) {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  if descriptor < 0 { throw .writing(path) }
  defer { close(descriptor) }
  // Some network file systems cannot sync a folder and return EINVAL; they write names at once.
  if fsync(descriptor) != 0 && errno != EINVAL { throw .writing(path) }
}

/// Returns true if two paths lead to the same file or folder.
package func isSameFile(_ path: String, _ other: String) -> Bool {
  var (first, second) = (stat(), stat())
  return stat(path, &first) == 0 && stat(other, &second) == 0
    && first.st_dev == second.st_dev && first.st_ino == second.st_ino
}

/// Renames a file or folder and replaces anything with the new name.
package func rename(_ old: String, to new: String) throws(FileError) {
  if Glibc.rename(old, new) != 0 { throw .writing(new) }
}

/// Returns the names in a folder, unsorted, without `.` and `..`.
package func names(in path: String) throws(FileError) -> [String] {
  guard let stream = opendir(path) else { throw .reading(path) }
  defer { closedir(stream) }
  var names: [String] = []
  while true {
    errno = 0
    guard let entry = readdir(stream) else {
      if errno != 0 { throw .reading(path) }
      return names
    }
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
}

/// Deletes a file, or a folder with everything in it; links are deleted, never followed.
package func removeTree(_ path: String) throws(FileError) {
  var info = stat()
  guard lstat(path, &info) == 0 else { return }
  if info.st_mode & S_IFMT == S_IFDIR {
    for name in try names(in: path) { try removeTree(path + "/" + name) }
    if rmdir(path) != 0 { throw removing(path) }
  } else if unlink(path) != 0 {
    throw removing(path)
  }
}

private func removing(_ path: String) -> FileError {
  FileError(
    .cannotWrite, path,
    "cannot delete \(path) (\(String(cString: strerror(errno)))): delete it by hand")
}

/// Replaces a small file in one step: a reader sees the old text or the new text.
package func replaceFile(
  _ path: String, temporary: String, _ body: (FileWriter) throws(FileError) -> Void
) throws(FileError) {
  // A killed process may have left its temporary file there.
  unlink(temporary)
  do {
    let writer = try FileWriter(creating: temporary)
    try body(writer)
    try writer.finish()
    try rename(temporary, to: path)
  } catch {
    unlink(temporary)
    throw error
  }
  try syncFolder(parent(of: path))
}

/// Replaces a file by a text in one step.
package func replaceFile(_ path: String, with text: String) throws(FileError) {
  try replaceFile(path, temporary: path + ".tmp-" + nonce()) { (file) throws(FileError) in
    try file.write(Array(text.utf8))
  }
}

/// Returns sixteen hexadecimal digits that no other process uses.
package func nonce() -> String {
  let digits = String(UInt64.random(in: .min ... .max), radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
