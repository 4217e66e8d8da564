/// The token shards at some paths.
struct ShardFiles {
  let paths: [String]
  /// The name in messages.
  let name: String

  /// Finds the shards at paths of files and folders, in which other files are left out.
  /// - Returns: Nil if no shard is there, because the paths are of texts.
  /// - Throws: `DataError` if a path cannot be read, or is of another file beside shards.
  init?(_ paths: [String]) throws(DataError) {
    var shards: [String] = []
    var other: String?
    for pattern in paths {
      let matches = try matches(of: pattern)
      for path in matches {
        let found = try Self.shards(at: path)
        // A pattern may match files that stand beside the shards, such as their vocabulary.
        if found.isEmpty, matches.count == 1 { other = other ?? path }
        shards += found
      }
    }
    guard let first = paths.first, !shards.isEmpty else { return nil }
    if let other {
      throw DataError(
        "\(other) is not a token shard, as \(shards[0]) is: give shards or texts, not both")
    }
    self.paths = shards
    name = paths.count == 1 ? first : "\(first) and \(paths.count - 1) more"
  }

  private static func shards(at path: String) throws(DataError) -> [String] {
    guard let names = try names(inFolder: path) else {
      return try CorpusFile.isEncoded(path) ? [path] : []
    }
    return names.map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }.filter {
      (try? CorpusFile.isEncoded($0)) == true
    }
  }
}

extension ShardFiles {
  /// The `vocabulary.json` in the folder of the first shard, or else in the folder above; nil if there is
  /// none.
  var vocabularyPath: String? {
    let folder = paths[0].split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let own = folder.isEmpty ? "." : folder.joined(separator: "/")
    return [own, own + "/.."].map { $0 + "/vocabulary.json" }.first { fileExists($0) }
  }
}
