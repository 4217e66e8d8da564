internal import Foundation

#if canImport(Glibc)
  internal import Glibc
#endif

/// Runs a test in an empty folder that is deleted afterwards.
package func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let path = NSTemporaryDirectory() + "unroll-test-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

package func put(_ bytes: [UInt8], at path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

package func bytes(at path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// The names in a folder, sorted.
package func contents(_ path: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: path).sorted()
}

/// Runs a body with the rights on files of somebody who is not root.
package func withoutRootsRights<R>(_ body: () throws -> R) rethrows -> R {
  guard getuid() == 0 else { return try body() }
  // The system keeps this user for each thread, so that other tests stay root's.
  typealias SetUser = @convention(c) (uid_t) -> Int32
  let setUser = unsafeBitCast(dlsym(nil, "setfsuid"), to: SetUser.self)
  _ = setUser(65534)
  defer { _ = setUser(0) }
  return try body()
}
