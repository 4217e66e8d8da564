/// Counts the symbols of a training text and makes the vocabulary of the frequent ones.
struct SymbolCounter {
  let kind: Vocabulary.Kind
  private var table = SymbolTable()
  private var counts: [Int] = []
  /// How many symbols are still to be counted, where only the first part of a text is for training.
  private var remaining: Int

  init(_ kind: Vocabulary.Kind, limit: Int = .max) {
    self.kind = kind
    remaining = limit
  }

  mutating func add(_ text: Span<UInt8>) {
    switch kind {
    case .byte, .name: break
    case .character: addCharacters(text)
    case .word: addWords(text)
    }
  }

  private mutating func addCharacters(_ text: Span<UInt8>) {
    var ascii = [Int](repeating: 0, count: 128)
    var i = 0
    while i < text.count, remaining > 0 {
      let lead = text[i]
      if lead < 0x80 {
        ascii[Int(lead)] += 1
        i += 1
      } else {
        let length = characterLength(lead)
        count(text, i..<i + length)
        i += length
      }
      remaining -= 1
    }
    for (code, times) in ascii.enumerated() where times > 0 {
      let symbol = [UInt8(code)]
      count(symbol.span, 0..<1, times: times)
    }
  }

  private mutating func addWords(_ text: Span<UInt8>) {
    var lines = LineScanner(universal: true)
    while remaining > 0, let line = lines.next(in: text) {
      var words = WordScanner(line.content)
      while remaining > 0, let word = words.next(in: text) {
        count(text, word)
        remaining -= 1
      }
      remaining -= 1
    }
  }

  private mutating func count(_ text: Span<UInt8>, _ range: Range<Int>, times: Int = 1) {
    let (symbol, isNew) = table.insert(text, range)
    if isNew { counts.append(0) }
    counts[symbol] += times
  }

  /// The vocabulary of the symbols that occur `minCount` times or more: of these the `size` most
  /// frequent, the special symbols included; ties go to the smaller bytes.
  func vocabulary(size: Int?, minCount: Int) -> Vocabulary {
    if kind == .byte { return .bytes }
    let special =
      kind == .word
      ? [Vocabulary.unknownSymbol, Vocabulary.endOfLineSymbol] : [Vocabulary.unknownSymbol]
    return Vocabulary(
      kind: kind, of: table, counts: counts, special: special, size: size, minCount: minCount)
  }
}

extension Vocabulary {
  /// The symbols of a table that occur `minCount` times or more, and at least once: of these the `size`
  /// most frequent, the special symbols included; ties go to the smaller bytes.
  init(
    kind: Kind, of table: SymbolTable, counts: [Int], special: [[UInt8]], size: Int?, minCount: Int
  ) {
    // The order of UTF-8 bytes is that of code points.
    var kept = (0..<table.count).filter { counts[$0] >= max(minCount, 1) }
    kept.removeAll { symbol in special.contains { $0.elementsEqual(table[symbol]) } }
    kept.sort {
      counts[$0] != counts[$1]
        ? counts[$0] > counts[$1] : table[$0].lexicographicallyPrecedes(table[$1])
    }
    if let size { kept = Array(kept.prefix(max(size - special.count, 0))) }
    if kind == .character { kept.sort { table[$0].lexicographicallyPrecedes(table[$1]) } }

    var symbols = SymbolTable()
    if kind == .word { for symbol in special { symbols.insert(symbol) } }
    for symbol in kept { symbols.insert(table[symbol]) }
    if kind == .character { for symbol in special { symbols.insert(symbol) } }
    self.init(kind: kind, table: symbols)
  }
}

extension Vocabulary {
  /// Builds the vocabulary of a training text.
  /// - Parameters:
  ///   - size: the greatest number of symbols, special ones included.
  ///   - minCount: how often a symbol must occur to be kept.
  ///   - limit: how many of the text's first symbols to look at.
  /// - Throws: `DataError` if a file cannot be read or is not UTF-8.
  public init(
    countedIn text: TextFiles, kind: Kind, size: Int? = nil, minCount: Int = 1, limit: Int = .max
  ) throws(DataError) {
    if kind == .byte {
      self = .bytes
      return
    }
    var counter = SymbolCounter(kind, limit: limit)
    try text.forEach(utf8: true) { (bytes) throws(DataError) in counter.add(bytes) }
    self = counter.vocabulary(size: size, minCount: minCount)
  }
}
