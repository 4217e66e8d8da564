/// A count of the symbols of a training text, from which the vocabulary of the frequent ones is made.
public struct SymbolCounter {
  private var table = SymbolTable()
  private var counts: [Int] = []
  /// The symbols that are still to be counted, where only the first part of a text is for training.
  public var remaining: Int

  public init(limit: Int = .max) { remaining = limit }

  /// Counts one symbol, a part of a text, so many times. `remaining` is the tokenizer's to lower.
  public mutating func count(_ text: Span<UInt8>, _ symbol: Range<Int>, times: Int = 1) {
    let (symbol, isNew) = table.insert(text, symbol)
    if isNew { counts.append(0) }
    counts[symbol] += times
  }

  /// The counts as a message to another rank.
  public var message: [UInt8] {
    var message = MessageWriter()
    message.add(table.count)
    for symbol in 0..<table.count {
      message.add(counts[symbol])
      message.add(Array(table[symbol]))
    }
    return message.bytes
  }

  /// Adds the counts of another rank.
  public mutating func add(message bytes: [UInt8]) {
    var message = MessageReader(bytes)
    for _ in 0..<message.number() {
      let times = message.number()
      let symbol = message.bytes()
      count(symbol.span, 0..<symbol.count, times: times)
    }
  }

  /// Returns the vocabulary of the symbols that occur `minCount` times or more: of these the `size`
  /// most frequent, the special symbols included; ties go to the smaller bytes.
  func vocabulary(
    _ tokenizer: any CountedTokenizer, size: Int?, minCount: Int
  ) -> Vocabulary {
    Vocabulary(
      tokenizer, of: table, counts: counts,
      special: tokenizer.specialSymbols.map { Array($0.utf8) },
      size: size, minCount: minCount)
  }
}

extension Vocabulary {
  /// Makes the vocabulary of the symbols of a table that occur `minCount` times or more, and at least
  /// once: of these the `size` most frequent, the special symbols included; ties go to the smaller bytes.
  init(
    _ tokenizer: any CountedTokenizer, of table: SymbolTable, counts: [Int], special: [[UInt8]],
    size: Int?, minCount: Int
  ) {
    // The order of UTF-8 bytes is that of code points.
    var kept = (0..<table.count).filter { counts[$0] >= max(minCount, 1) }
    kept.removeAll { symbol in special.contains { $0.elementsEqual(table[symbol]) } }
    kept.sort {
      counts[$0] != counts[$1]
        ? counts[$0] > counts[$1] : table[$0].lexicographicallyPrecedes(table[$1])
    }
    if let size { kept = Array(kept.prefix(max(size - special.count, 0))) }

    var symbols = SymbolTable()
    switch tokenizer.order {
    case .frequency:
      for symbol in special { symbols.insert(symbol) }
      for symbol in kept { symbols.insert(table[symbol]) }
    case .bytes:
      kept.sort { table[$0].lexicographicallyPrecedes(table[$1]) }
      for symbol in kept { symbols.insert(table[symbol]) }
      for symbol in special { symbols.insert(symbol) }
    }
    self.init(tokenizer, table: symbols)
  }

  /// Makes the vocabulary of a training text: the one that a fixed tokenizer has for every text, or
  /// the symbols that are counted in this one.
  /// - Parameters:
  ///   - text: The files of the training text.
  ///   - tokenizer: The tokenizer that splits the text into symbols.
  ///   - size: The greatest number of symbols, special ones included.
  ///   - minCount: The number of times that a symbol must occur to be kept.
  ///   - limit: The number of the text's first symbols to count.
  /// - Throws: `DataError` if a file cannot be read or is not UTF-8, or if the tokenizer needs a file of
  ///   its own.
  public init(
    countedIn text: TextFiles, by tokenizer: some Tokenizer, size: Int? = nil, minCount: Int = 1,
    limit: Int = .max
  ) throws(DataError) {
    if let fixed = tokenizer.fixedVocabulary {
      self = fixed
      return
    }
    guard let tokenizer = tokenizer as? any CountedTokenizer else {
      throw DataError(
        "the symbols of the tokenizer \(tokenizer.name) are in a file of its own: give the path of "
          + "that file")
    }
    var counter = SymbolCounter(limit: limit)
    try text.forEach(utf8: true) { (bytes) throws(DataError) in
      tokenizer.count(bytes, into: &counter)
    }
    self = counter.vocabulary(tokenizer, size: size, minCount: minCount)
  }
}
