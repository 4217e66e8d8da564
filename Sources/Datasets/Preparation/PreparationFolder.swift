internal import FoundationEssentials
internal import Glibc

/// The folder of shards of one preparation: `vocabulary.json`, the shards, and `manifest.json` when it is
/// complete; until then `progress.json`, from which it goes on, and files that end in `.part`.
public final class PreparationFolder {
  public let path: String
  public let settings: PreparationSettings
  private let identity: PreparationIdentity
  private let inputs: PreparedInputs
  private var saved: PreparationState?
  /// The manifest of a complete folder.
  public private(set) var manifest: PreparationManifest?

  private var writers: [ShardWriter] = []
  private var counts: [Int] = []
  private var vocabulary: Vocabulary?
  private var position = TextPosition()
  /// The bytes of files that are encoded, packed as they are, and of text.
  public private(set) var consumed = 0
  public private(set) var bytes = 0
  /// The seconds of earlier starts.
  public private(set) var earlierSeconds = 0.0

  private var progressPath: String { path + "/progress.json" }
  private var manifestPath: String { path + "/manifest.json" }
  private var vocabularyPath: String { path + "/vocabulary.json" }

  /// Opens a folder, or begins one.
  /// - Parameters:
  ///   - path: The folder for the shards.
  ///   - settings: The settings that decide the bytes of the shards.
  ///   - tokenizer: The name of a tokenizer, or the hash of its vocabulary.
  ///   - inputs: The texts to prepare, in their order.
  /// - Throws: `DataError` if the folder holds the shards of other texts or settings.
  public init(
    _ path: String, _ settings: PreparationSettings, tokenizer: String, _ inputs: PreparedInputs
  ) throws(DataError) {
    self.path = path
    self.settings = settings
    self.inputs = inputs
    identity = PreparationIdentity(
      settings: settings, tokenizer: tokenizer, inputs: inputs.given)
    manifest = try Self.read(manifestPath) { $0.isConsistent() }
    saved = manifest == nil ? try Self.read(progressPath) { $0.fits(inputs) } : nil
    if manifest != nil { removeRemains() }
    guard let made = manifest?.identity ?? saved?.identity else { return }
    if let difference = identity.difference(from: made) {
      throw DataError(
        "\(path) holds shards that were made with \(difference): choose another folder with --out, or "
          + "remove this one")
    }
  }

  /// Removes what a preparation left that was killed after it was complete.
  private func removeRemains() {
    unlink(progressPath)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    for name in names where name.hasSuffix(".index.part") { unlink("\(path)/\(name)") }
  }

  private static func read<Value: Decodable>(
    _ path: String, where isRight: (Value) -> Bool
  ) throws(DataError) -> Value? {
    guard access(path, F_OK) == 0 else { return nil }
    let file = try MappedFile(path)
    let contents = withExtendedLifetime(file) { Data(file.bytes) }
    guard let value = try? JSONDecoder().decode(Value.self, from: contents), isRight(value) else {
      throw .damagedPreparation(path)
    }
    return value
  }

  /// True if a preparation was begun here, so that the vocabulary is there.
  public var isBegun: Bool { saved != nil }

  /// Returns the vocabulary of a preparation that was begun.
  public func savedVocabulary() throws(DataError) -> Vocabulary {
    let vocabulary = try Vocabulary(contentsOf: vocabularyPath)
    guard vocabulary.hash == saved?.vocabularyHash else {
      throw DataError(
        "\(vocabularyPath) was changed since the preparation began: remove the folder, and prepare the "
          + "texts again")
    }
    return vocabulary
  }

  /// Begins to write shards, or goes on.
  public func begin(_ vocabulary: Vocabulary) throws(DataError) {
    self.vocabulary = vocabulary
    counts = [Int](repeating: 0, count: vocabulary.count)
    if saved == nil { try claim(vocabulary) }
    let states =
      saved?.parts ?? settings.parts.map { _ in ShardWriter.State() }
    for (part, state) in zip(settings.parts, states) {
      for shard in state.shards where access("\(path)/\(shard.name)", F_OK) != 0 {
        throw DataError(
          "\(path)/\(shard.name) is missing: remove the folder, and prepare the texts again")
      }
      writers.append(try ShardWriter(path, part: part, settings, vocabulary, state))
    }
    if let saved {
      position = saved.position
      consumed = saved.consumed
      bytes = saved.bytes
      earlierSeconds = saved.seconds
      guard let counts = saved.counts(symbols: vocabulary.count) else {
        throw .damagedPreparation(progressPath)
      }
      self.counts = counts
    } else {
      try save(seconds: 0)
    }
  }

  /// Writes the vocabulary into a new folder.
  /// - Throws: `DataError` if files of something else would be lost.
  private func claim(_ vocabulary: Vocabulary) throws(DataError) {
    for part in settings.parts {
      let name = "\(path)/\(ShardWriter.name(part, 0))\(settings.format.ending)"
      guard access(name, F_OK) != 0 else {
        throw DataError(
          "\(name) is there without a manifest: choose another folder with --out, or move it away")
      }
    }
    if access(vocabularyPath, F_OK) == 0 {
      guard let there = try? Vocabulary(contentsOf: vocabularyPath), there == vocabulary else {
        throw DataError(
          "\(vocabularyPath) is another vocabulary: choose another folder with --out, or move it away"
        )
      }
    }
    try vocabulary.write(to: vocabularyPath)
  }

  /// Returns the pieces of the texts from the present place on.
  public func pieces() throws(DataError) -> PieceCutter {
    try PieceCutter(inputs, settings, from: position)
  }

  /// Returns the pieces of the texts from their start on, to count symbols.
  public func allPieces() throws(DataError) -> PieceCutter { try PieceCutter(inputs, settings) }

  /// Writes the tokens of the next piece.
  public func append(_ piece: TextPiece, _ encoded: EncodedPiece) throws(DataError) {
    let width = settings.format.width(symbols: counts.count)
    for (writer, part) in zip(writers, encoded.parts) {
      count(part.tokens, width: width)
      bytes += part.documents.reduce(0) { $0 + $1.bytes }
      try writer.append(part)
    }
    position = piece.after
    consumed = piece.consumed
  }

  private func count(_ tokens: [UInt8], width: Int) {
    func count<Number: FixedWidthInteger>(_ type: Number.Type) {
      tokens.withUnsafeBytes { memory in
        for token in memory.bindMemory(to: type) { counts[Int(Number(littleEndian: token))] += 1 }
      }
    }
    switch width {
    case 1: count(UInt8.self)
    case 2: count(UInt16.self)
    default: count(UInt32.self)
    }
  }

  public var tokens: Int { counts.reduce(0, +) }

  /// Saves the present place: a killed preparation goes on from here.
  public func save(seconds: Double) throws(DataError) {
    for writer in writers { try writer.sync() }
    var numbers = MessageWriter()
    for count in counts { numbers.add(count) }
    let state = PreparationState(
      identity: identity, vocabularyHash: vocabulary?.hash ?? 0, position: position,
      consumed: consumed, parts: writers.map(\.state), counts: Data(numbers.bytes), bytes: bytes,
      seconds: earlierSeconds + seconds)
    try write(sortedJSON(state), to: progressPath)
    for writer in writers { writer.tidy() }
  }

  /// Completes the last shards, and writes the manifest.
  /// - Throws: `DataError` if the texts have no token.
  public func finish() throws(DataError) -> PreparationManifest {
    guard let vocabulary else { preconditionFailure("no preparation was begun") }
    guard tokens > 0 else {
      throw DataError("the texts have no symbol: give texts with characters in them")
    }
    for writer in writers { try writer.finish() }
    var manifest = PreparationManifest(
      identity: identity,
      tokenizer: .init(
        kind: vocabulary.tokenizer.name, symbols: vocabulary.count,
        hash: hexadecimal(vocabulary.hash),
        endOfDocument: vocabulary.endOfDocument.map { Int($0) }))
    for (name, writer) in zip(settings.parts, writers) {
      var part = PreparationManifest.Part()
      part.shards = writer.shards
      part.documents = part.shards.reduce(0) { $0 + $1.documents }
      part.tokens = part.shards.reduce(0) { $0 + $1.tokens }
      part.bytes = part.shards.reduce(0) { $0 + $1.bytes }
      manifest.parts[name] = part
    }
    manifest.mostFrequent = counts.indices.filter { counts[$0] > 0 }
      .sorted { (counts[$1], $0) < (counts[$0], $1) }.prefix(20).map {
        PreparationManifest.Frequency(
          id: $0, symbol: String(decoding: vocabulary.symbol(Int32($0)), as: UTF8.self),
          count: counts[$0])
      }
    manifest.unknown = vocabulary.unknown.map { counts[Int($0)] }
    try write(sortedJSON(manifest), to: manifestPath)
    for writer in writers { writer.tidy() }
    unlink(progressPath)
    self.manifest = manifest
    return manifest
  }

  private func write(_ bytes: [UInt8], to path: String) throws(DataError) {
    let file = try ReplacementFile(path)
    try file.write(bytes.span.bytes)
    try file.commit()
  }

  private func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension DataError {
  /// A file of a folder of shards that holds what was never written.
  static func damagedPreparation(_ path: String) -> DataError {
    DataError("\(path) is damaged: remove the folder, and prepare the texts again")
  }
}
