internal import FoundationEssentials

/// A request for the vocabulary of a training text, which is counted once and kept in the cache.
struct VocabularyRequest {
  let text: TextFiles
  let tokenizer: any CountedTokenizer
  let options: VocabularyOptions
  /// The fraction at the end of the text that is not for training.
  let heldOut: Double

  private struct Entry: Codable {
    var sizes: UInt64
    var times: UInt64
    /// The hash of the vocabulary: a file that was edited is made again.
    var hash: UInt64
    var vocabulary: Vocabulary
  }

  func vocabulary(cache: String, writing: Bool) throws(DataError) -> Vocabulary {
    let path = path(cache)
    let entry = read(path)
    if let entry, entry.sizes == text.sizes, !writing || entry.times == text.times {
      return entry.vocabulary
    }
    guard writing else {
      throw DataError(
        "\(path) does not hold the vocabulary of \(text.name): check that all processes see the same "
          + "texts and the same cache folder")
    }
    let vocabulary = try Vocabulary(
      countedIn: text, by: tokenizer, size: options.size, minCount: options.minCount,
      limit: try trainedCount())
    try write(vocabulary, path)
    return vocabulary
  }

  private func trainedCount() throws(DataError) -> Int {
    if heldOut == 0 { return .max }
    var count = 0
    try text.forEach(utf8: true) { (bytes) throws(DataError) in
      count += tokenizer.symbolCount(of: bytes)
    }
    return count - heldOutCount(count, heldOut)
  }

  private func path(_ cache: String) -> String {
    var fingerprint = Fingerprint()
    text.identify(into: &fingerprint)
    fingerprint.add(tokenizer.name)
    fingerprint.add(options.size ?? 0)
    fingerprint.add(options.minCount)
    fingerprint.add(heldOut.bitPattern)
    return "\(cache)/\(text.stem)-\(fingerprint.hexadecimal).vocabulary.json"
  }

  private func read(_ path: String) -> Entry? {
    guard let file = try? MappedFile(path),
      let entry = try? JSONDecoder().decode(Entry.self, from: Data(file.bytes)),
      entry.vocabulary.hash == entry.hash
    else { return nil }
    return entry
  }

  private func write(_ vocabulary: Vocabulary, _ path: String) throws(DataError) {
    let entry = Entry(
      sizes: text.sizes, times: text.times, hash: vocabulary.hash, vocabulary: vocabulary)
    guard let data = try? JSONEncoder().encode(entry) else {
      preconditionFailure("strings and numbers cannot fail to be encoded")
    }
    let bytes = Array(data)
    let file = try ReplacementFile(path)
    try file.write(bytes.span.bytes)
    try file.commit()
  }
}
