/// The reader of a file of ranks, a line `base64 rank` for each symbol, as tiktoken has them.
///
/// The file does not say how text is cut into words. 100,256 symbols are cl100k's and are cut by its
/// pattern; all others by GPT-2's. `<|endoftext|>` has the first number that no symbol has, or 100,257 in
/// cl100k.
enum TiktokenFile {
  private static let longest = 512
  private static let cl100k = 100_256

  /// True for a file whose first line is base64, a blank and a number.
  static func isLike(_ text: Span<UInt8>) -> Bool {
    var lines = LineScanner(universal: true)
    guard let line = lines.next(in: text) else { return false }
    return entry(text, line.content) != nil
  }

  private static func entry(
    _ text: Span<UInt8>, _ line: Range<Int>
  ) -> (symbol: [UInt8], rank: Int)? {
    var symbol: [UInt8] = []
    var (bits, count, i) = (UInt32(0), 0, line.lowerBound)
    while i < line.upperBound, let digit = digit(text[i]) {
      bits = bits << 6 | digit
      count += 1
      if count % 4 != 1 {
        symbol.append(UInt8(truncatingIfNeeded: bits >> (6 - 2 * UInt32((count - 1) % 4))))
      }
      i += 1
    }
    var padding = 0
    while i < line.upperBound, text[i] == UInt8(ascii: "="), padding < 2 {
      padding += 1
      i += 1
    }
    guard count % 4 != 1, (count + padding) % 4 == 0, !symbol.isEmpty, i < line.upperBound,
      text[i] == UInt8(ascii: " "), (1...9).contains(line.upperBound - i - 1)
    else { return nil }
    var rank = 0
    for k in i + 1..<line.upperBound {
      guard (0x30...0x39).contains(text[k]) else { return nil }
      rank = 10 * rank + Int(text[k] - 0x30)
    }
    return (symbol, rank)
  }

  private static func digit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte) - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte) - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }

  /// Reads a file.
  /// - Throws: `DataError` with the line that is wrong.
  static func rules(
    _ text: Span<UInt8>, of path: String
  ) throws(DataError) -> BytePairModel.Rules {
    var rules = BytePairModel.Rules()
    rules.contents = text.indices.map { text[$0] }
    var (table, ranks, entries) = (SymbolTable(), [Int32](), [(symbol: [UInt8], rank: Int)]())
    var lines = LineScanner(universal: true)
    var number = 0
    while let line = lines.next(in: text) {
      number += 1
      if line.content.isEmpty { continue }
      guard let entry = entry(text, line.content) else {
        throw DataError(
          "\(path), line \(number) is not base64, a blank and a rank: restore the file")
      }
      guard entry.symbol.count <= longest, table.insert(entry.symbol).isNew else {
        throw DataError(
          "\(path), line \(number) repeats a symbol or has one of more than \(longest) bytes: restore "
            + "the file")
      }
      entries.append(entry)
      ranks.append(Int32(entry.rank))
    }
    let most = 2 * entries.count + 1000
    for (symbol, rank) in entries {
      while rules.texts.count <= min(rank, most) { rules.texts.append([]) }
      guard rank < most, rules.texts[rank].isEmpty else {
        throw DataError("\(path) has the rank \(rank) twice or too high: restore the file")
      }
      rules.texts[rank] = symbol
      if symbol.count == 1 { rules.bytes[Int(symbol[0])] = Int32(rank) }
    }
    guard !rules.bytes.contains(-1) else {
      throw DataError("\(path) lacks one of the 256 bytes: restore the file")
    }
    addMerges(of: entries, table, ranks, to: &rules)
    rules.ignoresMerges = true
    let end: Int
    if entries.count == cl100k {
      end = cl100k + 1
      rules.preTokenizer = PreTokenizer(.cl100k, endIsWhole: true)
    } else {
      end = rules.texts.firstIndex(of: []) ?? rules.texts.count
    }
    while rules.texts.count <= end { rules.texts.append([]) }
    rules.texts[end] = Array("<|endoftext|>".utf8)
    rules.spellings = rules.texts
    rules.special.endOfDocument = Int32(end)
    rules.marks = [Int32(end)]
    return rules
  }

  /// Adds every way to make a symbol of two; its rank is that of the symbol.
  private static func addMerges(
    of entries: [(symbol: [UInt8], rank: Int)], _ table: SymbolTable, _ ranks: [Int32],
    to rules: inout BytePairModel.Rules
  ) {
    rules.merges = MergeTable(capacity: 2 * entries.count)
    for (symbol, rank) in entries where symbol.count > 1 {
      let bytes = symbol.span
      for cut in 1..<symbol.count {
        guard let left = table.find(bytes, 0..<cut),
          let right = table.find(bytes, cut..<symbol.count)
        else { continue }
        rules.merges.insert(ranks[left], ranks[right], rank: rank, symbol: Int32(rank))
      }
    }
  }
}
