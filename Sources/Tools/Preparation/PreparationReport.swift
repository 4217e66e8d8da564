internal import Datasets
internal import Formats

/// The report of a complete preparation.
public struct PreparationReport: Encodable {
  private struct PartFigures: Encodable {
    let documents, tokens, bytes, shards: Int
    let bytesPerToken: Double
    private enum CodingKeys: String, CodingKey {
      case documents, tokens, bytes, shards
      case bytesPerToken = "bytes_per_token"
    }

    init(_ part: PreparationManifest.Part) {
      (documents, tokens, bytes) = (part.documents, part.tokens, part.bytes)
      shards = part.shards.count
      bytesPerToken = tokens == 0 ? 0 : Double(bytes) / Double(tokens)
    }
  }

  private let manifest: PreparationManifest
  private let result: PreparationResult

  public init(_ result: PreparationResult) {
    self.result = result
    guard let manifest = result.manifest else {
      preconditionFailure("a preparation that was stopped has no report")
    }
    self.manifest = manifest
  }

  private enum CodingKeys: String, CodingKey {
    case parts, unknown, seconds, resumed
    case tokensPerSecond = "tokens_per_second"
    case mostFrequent = "most_frequent"
    case wasComplete = "was_complete"
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(manifest.parts.mapValues(PartFigures.init), forKey: .parts)
    try values.encodeIfPresent(manifest.unknown, forKey: .unknown)
    try values.encode(manifest.mostFrequent, forKey: .mostFrequent)
    try values.encode(result.isResumed, forKey: .resumed)
    try values.encode(result.wasComplete, forKey: .wasComplete)
    if !result.wasComplete {
      try values.encode(result.seconds, forKey: .seconds)
      try values.encode(Double(result.tokens) / max(result.seconds, 1e-9), forKey: .tokensPerSecond)
    }
  }

  public var json: String { get throws { try prettyJSON(self) } }

  /// A sentence if a part of `--split` got no document.
  public var warning: String? {
    let empty = manifest.names.filter { manifest.parts[$0]?.tokens ?? 0 == 0 }
    guard !empty.isEmpty else { return nil }
    return "no document fell into \(empty.joined(separator: " and ")): give more documents, larger "
      + "shares, or another --seed"
  }

  public var words: String {
    var rows = [["part", "documents", "tokens", "bytes", "bytes a token", "shards"]]
    for name in manifest.names {
      let part = manifest.parts[name] ?? .init()
      rows.append([
        name, "\(part.documents)", "\(part.tokens)", "\(part.bytes)",
        part.tokens == 0 ? "-" : fixed(Double(part.bytes) / Double(part.tokens), 3),
        "\(part.shards.count)",
      ])
    }
    var lines = [table(rows, rightAligned: [1, 2, 3, 4, 5])]
    if result.wasComplete {
      lines.append("All was prepared before.")
    } else {
      let speed = Double(result.tokens) / max(result.seconds, 1e-9)
      lines.append(
        "\(fixed(result.seconds, 1)) s, \(fixed(speed, 0)) tokens/s"
          + (result.isResumed ? ", after going on from an earlier start" : ""))
    }
    if let unknown = manifest.unknown {
      let share = 100 * Double(unknown) / Double(max(manifest.tokens, 1))
      lines.append("unknown: \(unknown) tokens, \(fixed(share, 3)) %")
    }
    let frequent = manifest.mostFrequent.prefix(10).map {
      "\(shown($0.symbol)) \(fixed(100 * Double($0.count) / Double(max(manifest.tokens, 1)), 2)) %"
    }
    lines.append("most frequent: " + frequent.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  /// Returns a symbol in quotation marks, with escapes for what cannot be seen.
  private func shown(_ symbol: String) -> String { symbol.debugDescription }
}
