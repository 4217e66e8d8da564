/// A byte-level byte-pair encoding (Radford et al., 2019): text is split at added tokens, normalized, cut
/// into words, and the bytes of each word are merged.
final class BytePairModel: FileModel {
  /// The rules of a file, before tables are made of them.
  struct Rules {
    /// The file as it was read.
    var contents: [UInt8] = []
    /// The spelling of each symbol in the file, in the order of the numbers; numbers without a symbol are
    /// empty.
    var spellings: [[UInt8]] = []
    /// The text of each symbol.
    var texts: [[UInt8]] = []
    /// The numbers of the 256 bytes; -1 for one that the file lacks.
    var bytes = [Int32](repeating: -1, count: 256)
    var merges = MergeTable(capacity: 0)
    var preTokenizer = PreTokenizer(.gpt2)
    /// A blank is put in front of a text that has none there.
    var addsBlank = false
    var composes = false
    /// A word that is a symbol is not merged from its bytes.
    var ignoresMerges = false
    /// Added tokens that are found in the text as it stands, and those found after normalization.
    var added: [(string: [UInt8], value: Int32)] = []
    var addedNormalized: [(string: [UInt8], value: Int32)] = []
    var special = SpecialNumbers()
    /// Symbols that mark a place and stand for no text.
    var marks: Set<Int32> = []
  }

  let contents: [UInt8]
  let table: SymbolTable
  let special: SpecialNumbers
  private let texts: ByteStrings
  private let bytes: [Int32]
  private let merges: MergeTable
  private let preTokenizer: PreTokenizer
  private let addsBlank, composes: Bool
  private let words: SymbolTable?
  private let wordNumbers: [Int32]
  private let added, addedNormalized: ByteTrie
  private let marks: Set<Int32>
  /// Caches that no encoding uses at the moment.
  private let caches = WordCaches()

  init(_ rules: Rules) {
    contents = rules.contents
    special = rules.special
    bytes = rules.bytes
    merges = rules.merges
    preTokenizer = rules.preTokenizer
    addsBlank = rules.addsBlank
    composes = rules.composes
    added = ByteTrie(rules.added)
    addedNormalized = ByteTrie(rules.addedNormalized)
    marks = rules.marks
    var table = SymbolTable()
    var texts = ByteStrings()
    for (number, spelling) in rules.spellings.enumerated() {
      table.insertUnique(spelling, number)
      texts.append(rules.texts[number])
    }
    self.table = table
    self.texts = texts
    guard rules.ignoresMerges else {
      (words, wordNumbers) = (nil, [])
      return
    }
    var words = SymbolTable()
    var numbers: [Int32] = []
    let added = Set((rules.added + rules.addedNormalized).map(\.value))
    for (number, text) in rules.texts.enumerated()
    where !text.isEmpty && !added.contains(Int32(number)) && words.insert(text).isNew {
      numbers.append(Int32(number))
    }
    (self.words, wordNumbers) = (words, numbers)
  }

  /// The text of a symbol.
  func text(_ id: Int32) -> ArraySlice<UInt8> { texts[Int(id)] }

  func decode(_ ids: some Sequence<Int32>) -> [UInt8] { ids.flatMap { text($0) } }

  /// Returns the number of bytes of a symbol's text, 0 for a mark.
  func byteLength(_ id: Int32) -> Int? { marks.contains(id) ? 0 : texts.length(Int(id)) }

  // MARK: Encoding

  /// Hands the numbers of a text's symbols to `emit`.
  /// - Throws: `DataError` for a byte that the vocabulary lacks; what `emit` throws.
  func encode(
    _ text: Span<UInt8>, to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    var merger = WordMerger()
    try caches.use { (cache) throws(DataError) in
      try forEachPart(of: text, text.indices, between: added, emit) { part throws(DataError) in
        try encodeNormalizing(text, part, &cache, &merger, emit)
      }
    }
  }

  /// Emits the added tokens in a part of a text, and hands over the parts between them, in order.
  private func forEachPart(
    of text: Span<UInt8>, _ range: Range<Int>, between added: ByteTrie,
    _ emit: (Int32) throws(DataError) -> Void,
    _ body: (Range<Int>) throws(DataError) -> Void
  ) throws(DataError) {
    var start = range.lowerBound
    if !added.isEmpty {
      var i = start
      while i < range.upperBound {
        guard let (id, length) = added.longest(text, i, range.upperBound) else {
          i += 1
          continue
        }
        try body(start..<i)
        try emit(id)
        i += length
        start = i
      }
    }
    try body(start..<range.upperBound)
  }

  private func encodeNormalizing(
    _ text: Span<UInt8>, _ range: Range<Int>, _ cache: inout WordCache,
    _ merger: inout WordMerger, _ emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    if range.isEmpty { return }
    if composes, let composed = CanonicalComposition.compose(text, range) {
      try encodeNormalized(composed.span, 0..<composed.count, &cache, &merger, emit)
    } else {
      try encodeNormalized(text, range, &cache, &merger, emit)
    }
  }

  private func encodeNormalized(
    _ text: Span<UInt8>, _ range: Range<Int>, _ cache: inout WordCache,
    _ merger: inout WordMerger, _ emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try forEachPart(of: text, range, between: addedNormalized, emit) {
      part throws(DataError) in
      try encodeWords(text, part, &cache, &merger, emit)
    }
  }

  private func encodeWords(
    _ text: Span<UInt8>, _ range: Range<Int>, _ cache: inout WordCache,
    _ merger: inout WordMerger, _ emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    if range.isEmpty { return }
    if addsBlank, text[range.lowerBound] != UInt8(ascii: " ") {
      let longer = [UInt8(ascii: " ")] + range.map { text[$0] }
      return try encodePlain(longer.span, 0..<longer.count, &cache, &merger, emit)
    }
    try encodePlain(text, range, &cache, &merger, emit)
  }

  private func encodePlain(
    _ text: Span<UInt8>, _ range: Range<Int>, _ cache: inout WordCache,
    _ merger: inout WordMerger, _ emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    let classes = scalarClasses
    let preTokenizer = preTokenizer
    var i = range.lowerBound
    while i < range.upperBound {
      let end = preTokenizer.wordEnd(text, i, range.upperBound, classes)
      if end - i <= WordCache.longestWord {
        let key = WordCache.Key(text, i, end)
        if let known = cache.find(key) {
          for k in known { try emit(cache.symbol(k)) }
        } else {
          try merge(text, i, end, &merger)
          cache.insert(key, merger.symbols[..<merger.count])
          for k in 0..<merger.count { try emit(merger.symbols[k]) }
        }
      } else {
        try merge(text, i, end, &merger)
        for k in 0..<merger.count { try emit(merger.symbols[k]) }
        merger.end()
      }
      i = end
    }
  }

  /// Leaves the symbols of a word in the merger.
  private func merge(
    _ text: Span<UInt8>, _ start: Int, _ end: Int, _ merger: inout WordMerger
  ) throws(DataError) {
    merger.begin()
    if let words, let word = words.find(text, start..<end) {
      merger.append(wordNumbers[word])
      return
    }
    for i in start..<end {
      let id = bytes[Int(text[i])]
      guard id >= 0 else {
        throw DataError(
          "the tokenizer has no symbol for the byte \(text[i]) of '\(string(text, start..<min(end, start + 40)))': "
            + "use one with all 256 bytes")
      }
      merger.append(id)
    }
    merger.merge(merges)
  }
}
