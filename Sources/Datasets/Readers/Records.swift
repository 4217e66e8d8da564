internal import Recurrence

/// What readers make of the files of all parts, before symbols have their final numbers.
struct Records {
  struct Record {
    /// What is read, and what an encoder reads, as numbers in the tables below.
    var inputs: [Int32] = []
    var source: [Int32] = []
    /// The label of each step, or the only one.
    var labels: [Int32] = []
    var frames: [Double] = []
    /// The input of an encoder that reads frames.
    var sourceFrames = Frames()
    /// Of a table, what names the sequence.
    var id = ""
    var values: [Double] = []
    /// Whether each row of a table asks for its values.
    var asks: [Bool] = []
    var tree: Tree?
    /// The condition of the whole sequence, with classes as numbers in the tables below.
    var known = ConditionReader.Known()
    /// Where it is from: the file, as a number in `files`, and the line.
    var file = 0
    var line = 0
  }

  var inputs = SymbolTable()
  var sources = SymbolTable()
  var labels = SymbolTable()
  /// The names of each class that is known of sequences.
  var classes: [SymbolTable] = []
  var records: [Record] = []
  private(set) var files: [String] = []

  /// Where a record is from, for a sentence.
  func place(_ record: Record) -> String { "\(files[record.file]), line \(record.line)" }

  /// Adds the records of one line after the other.
  mutating func read(
    _ text: TextFiles, _ reader: (Span<UInt8>, Line, inout Records) throws(DataError) -> Void
  ) throws(DataError) {
    for file in text.files {
      let mapped = try MappedFile(file.path)
      files.append(file.path)
      try mapped.withText { (bytes) throws(DataError) in
        try requireUTF8(bytes, of: file.path)
        var lines = LineScanner(universal: true, position: markLength(of: bytes))
        line = 0
        while let found = lines.next(in: bytes) {
          line += 1
          try reader(bytes, found, &self)
        }
      }
    }
  }

  /// The line that is being read.
  private(set) var line = 0

  mutating func append(_ record: Record) {
    var record = record
    (record.file, record.line) = (files.count - 1, line)
    records.append(record)
  }

  /// What is wrong with the line that is being read.
  func refusal(_ sentence: String) -> DataError {
    DataError("\(files.last ?? ""), line \(line) \(sentence)")
  }
}

/// Cuts a piece of a text into words or characters, and numbers them.
func tokens(
  _ text: Span<UInt8>, _ range: Range<Int>, _ tokenizer: Tokenizer, _ table: inout SymbolTable
) -> [Int32] {
  var found: [Int32] = []
  if tokenizer == .character {
    var i = range.lowerBound
    while i < range.upperBound {
      let character = i..<i + characterLength(text[i])
      found.append(Int32(table.insert(text, character).symbol))
      i = character.upperBound
    }
  } else {
    var words = WordScanner(range)
    while let word = words.next(in: text) { found.append(Int32(table.insert(text, word).symbol)) }
  }
  return found
}

extension Span<UInt8> {
  /// The place of a byte in a part.
  func place(of byte: UInt8, in range: Range<Int>) -> Int? {
    for i in range where self[i] == byte { return i }
    return nil
  }

  /// The place of a byte's last occurrence in a part.
  func lastPlace(of byte: UInt8, in range: Range<Int>) -> Int? {
    for i in range.reversed() where self[i] == byte { return i }
    return nil
  }

  /// Whether a part has nothing but white space.
  func isBlank(_ range: Range<Int>) -> Bool {
    var words = WordScanner(range)
    return words.next(in: self) == nil
  }
}
