internal import Sequences

/// The parsed records of all files, before symbols have their final numbers.
struct Records {
  struct Record {
    /// The input and the source, as numbers in the tables below.
    var inputs: [Int32] = []
    var source: [Int32] = []
    /// The label of each step, or the only one.
    var labels: [Int32] = []
    var frames: [Double] = []
    /// The source, if it is frames.
    var sourceFrames = Frames()
    /// In a table: the name of the sequence.
    var id = ""
    var values: [Double] = []
    /// For each row of a table, true if it has targets.
    var asks: [Bool] = []
    var tree: Tree?
    /// The condition of the sequence, with classes as numbers in the tables below.
    var known = ConditionReader.Known()
    /// The origin: the file, as a number in `files`, and the line.
    var file = 0
    var line = 0
  }

  var inputs = SymbolTable()
  var sources = SymbolTable()
  var labels = SymbolTable()
  /// The names of each class of the condition.
  var classes: [SymbolTable] = []
  var records: [Record] = []
  private(set) var files: [String] = []

  /// Returns the origin of a record, for messages.
  func place(_ record: Record) -> String { "\(files[record.file]), line \(record.line)" }

  /// Adds the records of one line after another.
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

  /// The number of the current line.
  private(set) var line = 0

  mutating func append(_ record: Record) {
    var record = record
    (record.file, record.line) = (files.count - 1, line)
    records.append(record)
  }

  /// Cuts a part of the current line into symbols.
  /// - Parameter table: The table of their numbers, such as `inputs`.
  mutating func symbols(
    of text: Span<UInt8>, _ range: Range<Int>, _ cutter: SequenceCutter,
    _ table: WritableKeyPath<Records, SymbolTable>
  ) throws(DataError) -> [Int32] {
    do throws(DataError) {
      return try cutter.symbols(of: text, range, &self[keyPath: table])
    } catch {
      throw refusal("cannot be encoded: \(error.message)")
    }
  }

  /// Makes the error for the current line.
  func refusal(_ sentence: String) -> DataError {
    DataError("\(files.last ?? ""), line \(line) \(sentence)")
  }
}

extension Span<UInt8> {
  /// Returns the first index of a byte in a range.
  func place(of byte: UInt8, in range: Range<Int>) -> Int? {
    for i in range where self[i] == byte { return i }
    return nil
  }

  /// Returns the last index of a byte in a range.
  func lastPlace(of byte: UInt8, in range: Range<Int>) -> Int? {
    for i in range.reversed() where self[i] == byte { return i }
    return nil
  }

  /// True if a range has only white space.
  func isBlank(_ range: Range<Int>) -> Bool {
    var words = WordScanner(range)
    return words.next(in: self) == nil
  }
}
