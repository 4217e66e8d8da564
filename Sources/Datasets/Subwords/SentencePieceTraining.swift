internal import CSentencePiece

/// The training of a model of SentencePiece on a sample of a text.
///
/// Text stays as it is: nothing is normalized, no blank is put in front, and several blanks stay several,
/// so that encoding and decoding give a text back to the byte.
public struct SentencePieceTraining: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    /// A model of the probability of each piece (Kudo, 2018).
    case unigram
    /// Byte-pair encoding (Sennrich, Haddow and Birch, 2016).
    case bpe
  }

  public var kind: Kind
  /// The number of pieces, the special ones and those of bytes included.
  public var size: Int
  /// A character that no piece has is written as its bytes, 256 more pieces, and not as `<unk>`.
  public var hasByteFallback = true
  /// True if a piece never joins letters with signs or letters of different scripts.
  public var splitsScripts = true
  /// Pieces that are never cut, such as "\t".
  public var symbols: [String] = []
  /// The piece that ends a document.
  public var end = "</s>"
  /// The most bytes of text to train on. Of a longer text, blocks of 64 KiB are chosen by the seed.
  public var sample = 100_000_000
  public var seed: UInt64 = 1
  public var invalid = InvalidText.refuse

  public init(kind: Kind, size: Int) {
    self.kind = kind
    self.size = size
  }

  /// Returns the bytes of a `.model`: the same for the same text, options and version of the library.
  /// - Throws: `DataError` if a text cannot be read or is not UTF-8, or for what the library refuses, such
  ///   as more pieces than the text gives.
  public func train(on text: TextFiles) throws(DataError) -> [UInt8] {
    let sentences = SampledLines(text, bytes: sample, seed: seed, invalid)
    let options = options
    var keys: [UnsafePointer<CChar>] = []
    var values: [UnsafePointer<CChar>] = []
    defer { for text in keys + values { text.deallocate() } }
    for (key, value) in options {
      keys.append(Self.copy(key))
      values.append(Self.copy(value))
    }
    var (model, count): (UnsafeMutablePointer<UInt8>?, Int) = (nil, 0)
    let mistake = withExtendedLifetime(sentences) {
      SentencePieceModel.message { message, capacity in
        sentencepiece_train(
          keys, values, options.count,
          { context, text, count in
            let lines = Unmanaged<SampledLines>.fromOpaque(context).takeUnretainedValue()
            guard lines.advance() else { return lines.error == nil ? 0 : -1 }
            text.pointee = UnsafePointer(lines.line)
            count.pointee = lines.count
            return 1
          }, Unmanaged.passUnretained(sentences).toOpaque(), &model, &count, message, capacity)
      }
    }
    defer { sentencepiece_release(model) }
    if let error = sentences.error { throw error }
    guard mistake == nil, let model else {
      throw DataError(
        "\(Self.refusal) \(size) pieces on \(text.name) (\(mistake ?? "nothing came out")): "
          + "give another size, or more text")
    }
    return Array(UnsafeBufferPointer(start: model, count: count))
  }

  /// The first words of what the library refuses.
  private static let refusal = "SentencePiece cannot train"

  /// Returns true if an error of the training is a refusal of the library, such as that of the size.
  public static func isRefusal(_ error: any Error) -> Bool {
    (error as? DataError)?.description.hasPrefix(refusal) == true
  }

  /// Trains a model and writes it, whole or not at all.
  /// - Throws: `DataError` as `train(on:)` does, or if the file cannot be written.
  public func write(to path: String, on text: TextFiles) throws(DataError) {
    let model = try train(on: text)
    let file = try ReplacementFile(path)
    try file.write(model.span.bytes)
    try file.commit()
  }

  private var options: [(String, String)] {
    func quoted(_ symbol: String) -> String {
      "\"" + symbol.replacing("\"", with: "\"\"") + "\""
    }
    return [
      ("model_type", kind.rawValue), ("vocab_size", String(size)),
      ("byte_fallback", hasByteFallback ? "true" : "false"),
      ("user_defined_symbols", symbols.map(quoted).joined(separator: ",")), ("eos_piece", end),
      ("normalization_rule_name", "identity"), ("add_dummy_prefix", "false"),
      ("remove_extra_whitespaces", "false"), ("allow_whitespace_only_pieces", "true"),
      ("split_by_unicode_script", splitsScripts ? "true" : "false"), ("split_digits", "true"),
      ("num_threads", "2"), ("input_sentence_size", "0"),
      ("max_sentence_length", String(SampledLines.capacity)), ("minloglevel", "2"),
    ]
  }

  private static func copy(_ text: String) -> UnsafePointer<CChar> {
    let bytes = text.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (i, byte) in bytes.enumerated() { copy[i] = byte }
    return UnsafePointer(copy)
  }
}

/// The lines of a text that begin in blocks which the seed chooses, long ones in parts.
private final class SampledLines {
  /// The most bytes of a line in the text.
  private static let longest = 4096
  /// The most bytes of a line after its wrong bytes are replaced by three each.
  static let capacity = 3 * longest
  private static let block = 65536

  private let files: [TextFiles.File]
  /// The chance of a block, in 2⁶⁴ths; nil if all are taken.
  private let chance: UInt64?
  private let seed: UInt64
  private let invalid: InvalidText
  private var budget: Int
  private var next = 0
  private var file: MappedFile?
  private var position = 0
  private(set) var error: DataError?
  /// The bytes of the line that `advance` found.
  let line = UnsafeMutablePointer<UInt8>.allocate(capacity: SampledLines.capacity)
  private(set) var count = 0

  init(_ text: TextFiles, bytes: Int, seed: UInt64, _ invalid: InvalidText) {
    files = text.files
    (self.seed, self.invalid) = (seed, invalid)
    let total = text.files.reduce(0) { $0 + $1.size }
    chance =
      total <= bytes ? nil : UInt64(Double(bytes) / Double(total) * 0x1p63) << 1
    budget = bytes
  }

  deinit { line.deallocate() }

  /// Moves to the next line with anything in it; false at the end of the sample.
  func advance() -> Bool {
    do throws(DataError) {
      while budget > 0 {
        if file == nil {
          guard next < files.count else { return false }
          file = try MappedFile(files[next].path)
          position = 0
          next += 1
        }
        let found = try file!.withText { (text) throws(DataError) in try take(text) }
        if found { return true }
        file = nil
      }
    } catch {
      self.error = error
    }
    return false
  }

  /// Copies the next line of a file.
  private func take(_ text: Span<UInt8>) throws(DataError) -> Bool {
    while position < text.count {
      if position > 0, text[position - 1] == newline, !isChosen(position / Self.block) {
        // The next line that begins in another block.
        position = min((position / Self.block + 1) * Self.block, text.count)
        while position < text.count, text[position - 1] != newline { position += 1 }
        continue
      }
      if position == 0, !isChosen(0) {
        position = min(Self.block, text.count)
        while position < text.count, text[position - 1] != newline { position += 1 }
        continue
      }
      let start = position
      while position < text.count, text[position] != newline, position - start < Self.longest {
        position += 1
      }
      if position < text.count, text[position] != newline {
        // A part ends at a blank, or else between two characters.
        let whole = position
        while position > start + 1, text[position] != UInt8(ascii: " ") { position -= 1 }
        if position <= start + 1 {
          position = whole
          while position > start + 1, text[position] & 0xC0 == 0x80 { position -= 1 }
        }
      }
      try copy(text.extracting(start..<position), from: start)
      if position < text.count, text[position] == newline { position += 1 }
      budget -= count + 1
      if count > 0 { return true }
    }
    return false
  }

  /// Copies a line to `line`, with its wrong bytes replaced.
  private func copy(_ part: Span<UInt8>, from start: Int) throws(DataError) {
    guard let wrong = firstInvalidByte(of: part) else {
      count = part.count
      for i in 0..<count { line[i] = part[i] }
      return
    }
    guard invalid == .replace else {
      throw DataError(
        "\(files[next - 1].path), byte \(start + wrong) is not UTF-8: convert the file, for example with "
          + "iconv, or use --invalid replace")
    }
    let replaced = String(decoding: part.indices.map { part[$0] }, as: UTF8.self).utf8
    count = replaced.count
    for (i, byte) in replaced.enumerated() { line[i] = byte }
  }

  private func isChosen(_ block: Int) -> Bool {
    guard let chance else { return true }
    var fingerprint = Fingerprint()
    fingerprint.add(seed)
    fingerprint.add(next)
    fingerprint.add(block)
    // Mixed, since the upper bits of the hash change last.
    var mixed = fingerprint.value
    mixed = (mixed ^ mixed >> 32) &* 0x9E37_79B9_7F4A_7C15
    return mixed ^ mixed >> 29 < chance
  }
}
