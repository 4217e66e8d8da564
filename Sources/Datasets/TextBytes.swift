internal import Sequences

// The bytes of text for which a target stands: the bits per byte of a loss of L nats per target are
// L / (ln 2 · bytes per target). They compare models whose symbols differ.

extension Dataset {
  /// Returns the mean number of bytes of text per target of a split; nil if its targets are not text.
  ///
  /// | data | bytes |
  /// |---|---|
  /// | whole files | the size of the text, which every encoded file keeps |
  /// | a part of a file, or a file that does not say | the lengths of its symbols, of the first 2²² |
  /// | symbols of unknown lengths | the size of the whole text, in proportion |
  /// | a mixture | the mean of its corpora by weight |
  /// | sequences | the lengths of the target symbols, the first 2²²; the end of a sequence has none |
  ///
  /// A symbol of unknown length, such as `<unk>`, counts as the mean of the others.
  public func bytesPerTarget(of split: Split) -> Double? {
    func bytes(of corpus: Corpus) -> Double? {
      if let bytes = corpus.byteCount { return Double(bytes) / Double(max(corpus.count, 1)) }
      let range = 0..<min(corpus.count, SymbolLengths.most)
      var lengths = SymbolLengths(vocabulary)
      for i in range { lengths.add(corpus[i]) }
      return lengths.mean ?? corpus.bytesInProportion
    }
    switch split {
    case .text(let corpus): return bytes(of: corpus)
    case .mixture(let mixture):
      var sum = 0.0
      for (corpus, share) in zip(mixture.corpora, mixture.shares) {
        guard let bytes = bytes(of: corpus) else { return nil }
        sum += share * bytes
      }
      return sum
    case .examples(let set):
      guard !set.isGenerated, case .symbols = interface.output, !interface.asksOnce,
        outputs == vocabulary
      else { return nil }
      var lengths = SymbolLengths(vocabulary)
      for index in 0..<set.count where lengths.count < SymbolLengths.most {
        for target in set.example(index, epoch: 1).targets where target != Batch.noTarget {
          lengths.add(target)
        }
      }
      return lengths.mean
    }
  }
}

extension Corpus {
  /// The bytes per symbol of the whole files that this text is a part of; nil if a file does not say.
  fileprivate var bytesInProportion: Double? {
    var sum = 0.0
    for part in parts {
      guard let bytes = part.file.header.byteCount else { return nil }
      sum += Double(bytes) * Double(part.range.count) / Double(max(part.file.header.tokenCount, 1))
    }
    return count > 0 ? sum / Double(count) : nil
  }
}

/// A sum of the bytes of symbols.
private struct SymbolLengths {
  /// The most symbols that are looked up.
  static let most = 1 << 22
  /// The bytes of each symbol; −1 if unknown.
  private let lengths: [Int32]
  private var known = 0
  private var bytes = 0
  private(set) var count = 0

  init(_ vocabulary: Vocabulary) {
    lengths = vocabulary.byteLengths.map { $0.map { Int32($0) } ?? -1 }
  }

  /// Adds a symbol, or the end of a sequence, which has no bytes.
  mutating func add(_ symbol: Int32) {
    count += 1
    guard symbol >= 0 else { return known += 1 }
    let length = lengths[Int(symbol)]
    guard length >= 0 else { return }
    known += 1
    bytes += Int(length)
  }

  /// The bytes per symbol; nil if no symbol has any.
  var mean: Double? { bytes > 0 ? Double(bytes) / Double(known) : nil }
}
