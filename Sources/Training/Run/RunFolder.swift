internal import Foundation

/// The folder of a run: its configuration, its metrics and its checkpoints.
public struct RunFolder: Sendable {
  public let path: String

  public init(_ path: String) { self.path = path }

  /// The configuration as it was given.
  public var givenConfiguration: String { path + "/config.yaml" }
  /// The configuration with every default filled in.
  public var resolvedConfiguration: String { path + "/config.json" }
  public var metrics: String { path + "/metrics.jsonl" }
  public var checkpoints: String { path + "/checkpoints" }
  /// Encoded texts, unless the configuration names a folder for them.
  public var cache: String { path + "/data" }

  /// Whether a run was begun here.
  public var isUsed: Bool { FileManager.default.fileExists(atPath: metrics) }

  /// Makes the folder and writes the configuration into it.
  /// - Parameter given: the text of the configuration.
  func prepare(given: String, resolved: [UInt8]) throws(CheckpointError) {
    try createFolders(path)
    for (file, text) in [
      (givenConfiguration, Array(given.utf8)), (resolvedConfiguration, resolved),
    ] {
      try replaceFile(file, temporary: file + ".tmp") { (writer) throws(CheckpointError) in
        try writer.write(text)
      }
    }
  }
}
