/// The token shards at some paths.
struct ShardFiles {
  let paths: [String]
  /// The name in messages.
  let name: String

  /// The part of the data that shards are for: of the shards in a folder, or of those that match a pattern,
  /// those whose names begin with it and a hyphen are taken, if there are any.
  enum Part: String { case train, valid, test }

  /// Finds the shards at paths of files and folders, in which other files are left out.
  /// - Returns: Nil if no shard is there, because the paths are of texts.
  /// - Throws: `DataError` if a path cannot be read, or is of another file beside shards.
  init?(_ paths: [String], for part: Part = .train) throws(DataError) {
    var shards: [String] = []
    var other: String?
    for pattern in paths {
      let matches = try matches(of: pattern)
      var found: [String] = []
      for path in matches { found += try Self.shards(at: path) }
      // A pattern may match files that stand beside the shards, such as their vocabulary.
      if found.isEmpty { other = other ?? pattern }
      shards += try Self.shards(among: found, for: part, pattern)
    }
    guard let first = paths.first, !shards.isEmpty else { return nil }
    if let other {
      throw DataError(
        "\(other) is not a token shard, as \(shards[0]) is: give shards or texts, not both")
    }
    self.paths = shards
    name = paths.count == 1 ? first : "\(first) and \(paths.count - 1) more"
  }

  private static func shards(
    among found: [String], for part: Part, _ pattern: String
  ) throws(DataError) -> [String] {
    func named(_ part: Part) -> [String] {
      found.filter { $0.split(separator: "/").last?.hasPrefix(part.rawValue + "-") == true }
    }
    let own = named(part)
    if !own.isEmpty { return own }
    guard part == .train || named(.train).isEmpty else {
      throw DataError(
        "\(pattern) has shards for training, and none whose name begins with \(part.rawValue)-: prepare "
          + "some, or give another path in data.\(part.rawValue)")
    }
    return found
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
