internal import Foundation

/// A folder of generated texts that is deleted with the test.
package final class TemporaryFolder {
  package let path: String
  package var cache: String { path + "/cache" }

  package init() {
    path = NSTemporaryDirectory() + "datasets-" + UUID().uuidString
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  package func write(_ name: String, _ text: String) -> String { write(name, Array(text.utf8)) }

  @discardableResult
  package func write(_ name: String, _ bytes: [UInt8]) -> String {
    let file = path + "/" + name
    try! FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try! Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  package func read(_ name: String) -> [UInt8] {
    Array(try! Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
  }

  /// The one file of the cache whose name ends so.
  package func cached(_ ending: String) -> String {
    let names = try! FileManager.default.contentsOfDirectory(atPath: cache)
    let found = names.filter { $0.hasSuffix(ending) }
    precondition(found.count == 1, "\(names)")
    return "cache/" + found[0]
  }
}
