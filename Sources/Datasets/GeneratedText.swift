internal import Glibc
internal import LinearAlgebra

/// Random symbols with Zipf's distribution, for benchmarks. The number of distinct symbols in a
/// window decides how many rows of an embedding it touches, and real text repeats its words.
///
/// The symbol of rank r has probability (1/r) / Σₖ (1/k), k = 1…V (Zipf 1949, exponent 1). Ranks
/// are assigned to symbols at random, because frequent words do not lie side by side in memory. Of
/// 700 symbols with V = 10,000 about 383 are distinct; of 700 words of WikiText-2 about 380.
public struct GeneratedText: Sendable {
  /// The number of symbols in the vocabulary.
  public let vocabulary: Int
  /// The symbols of the text, from 0 to `vocabulary` − 1.
  public let symbols: [Int32]

  /// - Parameters:
  ///   - count: The number of symbols of the text.
  ///   - vocabulary: The number of symbols in the vocabulary, at least 2.
  ///   - seed: The same seed, vocabulary and count give the same text everywhere.
  public init(count: Int, vocabulary: Int, seed: UInt64) {
    precondition(count >= 0 && vocabulary >= 2, "\(count) symbols of \(vocabulary)")
    self.vocabulary = vocabulary
    var ids = Array(0..<Int32(vocabulary))
    let shuffle = Philox(seed: seed, name: "generated ranks")
    for rank in stride(from: vocabulary - 1, to: 0, by: -1) {
      ids.swapAt(rank, Int(shuffle.uniform(UInt64(rank)) * Double(rank + 1)))
    }
    var total = 0.0
    let cumulative = (1...vocabulary).map { rank in
      total += 1 / Double(rank)
      return total
    }
    let random = Philox(seed: seed, name: "generated text")
    symbols = (0..<count).map { place in
      ids[Self.rank(of: random.uniform(UInt64(place)) * total, in: cumulative)]
    }
  }

  /// Returns the first index whose cumulative weight exceeds x.
  private static func rank(of x: Double, in cumulative: [Double]) -> Int {
    var (low, high) = (0, cumulative.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > x { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Writes the symbols as 32-bit little-endian numbers; the file is complete or not there at all.
  /// - Throws: `DataError` if the file cannot be written.
  public func write(to path: String) throws(DataError) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * symbols.count)
    for symbol in symbols {
      for shift in stride(from: 0, to: 32, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: symbol >> Int32(shift)))
      }
    }
    let file = try ReplacementFile(path)
    try file.write(bytes.span.bytes)
    try file.commit()
  }

  /// Makes a training set of the text, with a vocabulary of made-up words.
  ///
  /// It uses a file in `folder`, which is removed before this returns.
  /// - Throws: `DataError` if the file cannot be written.
  public func dataset(in folder: String) throws(DataError) -> Dataset {
    var table = SymbolTable()
    table.insert(Vocabulary.unknownSymbol)
    table.insert(Vocabulary.endOfLineSymbol)
    for symbol in 2..<vocabulary { table.insert("w\(symbol)".utf8) }
    let words = Vocabulary(WordTokenizer(), table: table)
    let path = "\(folder)/unroll-generated-\(getpid())-\(UInt64.random(in: 0...(.max))).tokens"
    var writer = try TokenWriter(path, symbols: vocabulary)
    for symbol in symbols { try writer.append(symbol) }
    var header = CorpusHeader()
    header.vocabularyHash = words.hash
    defer { unlink(path) }
    try writer.finish(header, files: [0], documents: [])
    let corpus = try Corpus(contentsOf: path, vocabulary: words, name: "generated text")
    return Dataset(vocabulary: words, train: .text(corpus), valid: nil, test: nil)
  }
}
