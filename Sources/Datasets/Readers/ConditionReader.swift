/// A reader of conditions, from the cells of a row or the leading fields of a line.
struct ConditionReader {
  let options: ConditionOptions

  /// A condition, with classes as numbers in the tables of `Records`.
  struct Known: Equatable {
    var classes: [Int32] = []
    var numbers: [Double] = []
  }

  /// Reads tables with one row per sequence.
  func read(_ text: TextFiles, into records: inout Records) throws(DataError) -> [Known] {
    var found: [Known] = []
    var rows = Records()
    rows.classes = records.classes
    for file in text.files {
      var places: [Int]?
      var width: Int?
      try rows.read(TextFiles([file.path])) { (text, line, rows) throws(DataError) in
        guard !text.isBlank(line.content) else { return }
        let cells = cells(text, line.content, options.separator)
        if places == nil, options.hasNames {
          places = try self.places(cells, rows)
          return
        }
        if places == nil { places = try self.places(nil, width: cells.count, rows) }
        if options.columns.isEmpty, let width, cells.count != width {
          throw rows.refusal(
            "has \(cells.count) columns where the lines before have \(width): give as many")
        }
        width = cells.count
        found.append(try known(places!, cells, &rows))
      }
    }
    records.classes = rows.classes
    return found
  }

  /// Returns the indices of the columns in a line, from 0.
  /// - Parameters:
  ///   - names: The cells of the first line, if it has names.
  ///   - width: The number of columns in a line. All of them are numbers if none are named.
  func places(
    _ names: [String]?, width: Int = 0, _ records: Records
  ) throws(DataError) -> [Int] {
    guard !options.columns.isEmpty else { return Array(0..<width) }
    var places: [Int] = []
    for column in options.columns { places.append(try column.place(in: names ?? [], records)) }
    return places
  }

  /// Reads the condition from cells of a line.
  func known(
    _ places: [Int], _ cells: [String], _ records: inout Records
  ) throws(DataError) -> Known {
    var known = Known()
    for (number, place) in places.enumerated() {
      guard place < cells.count else {
        throw records.refusal(
          "has \(cells.count) columns and no column \(place + 1): check data.condition and the "
            + "separator")
      }
      let cell = cells[place]
      if number < options.classes.count {
        guard !cell.isEmpty else {
          throw records.refusal("has no class in column \(place + 1): write one")
        }
        while records.classes.count <= number { records.classes.append(SymbolTable()) }
        known.classes.append(Int32(records.classes[number].insert(Array(cell.utf8)).symbol))
      } else {
        guard let value = Double(cell), Float(value).isFinite else {
          throw records.refusal("has '\(cell)' in column \(place + 1): write a number there")
        }
        known.numbers.append(value)
      }
    }
    return known
  }

  /// Reads the fields at the start of a line; also returns the rest of the line.
  func leading(
    _ text: Span<UInt8>, _ line: Line, _ records: inout Records
  ) throws(DataError) -> (Known, Line) {
    var cells: [String] = []
    var rest = line
    for _ in options.columns {
      guard let tab = text.place(of: UInt8(ascii: "\t"), in: rest.content) else {
        throw records.refusal(
          "has \(cells.count) of the \(options.columns.count) fields of its condition: write each "
            + "with a tab after it")
      }
      cells.append(trimmed(string(text, rest.content.lowerBound..<tab)))
      rest.content = tab + 1..<rest.content.upperBound
    }
    return (try known(try places(nil, records), cells, &records), rest)
  }
}

extension ColumnOptions.Column {
  /// Returns the index of the column in a line, from 0.
  /// - Parameter names: The cells of the first line, if it has names.
  func place(in names: [String], _ records: Records) throws(DataError) -> Int {
    switch self {
    case .number(let number): return number - 1
    case .name(let name):
      guard let place = names.firstIndex(of: name) else {
        throw records.refusal(
          "names no column '\(name)'; there are \(names.joined(separator: ", ")): choose among them"
        )
      }
      return place
    }
  }
}

/// Returns the cells of a line, without surrounding white space.
func cells(_ text: Span<UInt8>, _ line: Range<Int>, _ separator: String) -> [String] {
  string(text, line).split(separator: Character(separator), omittingEmptySubsequences: false)
    .map { trimmed($0) }
}

/// Returns a text without surrounding white space.
func trimmed(_ text: some StringProtocol) -> String {
  let text = text.drop { $0.isWhitespace }
  return String(
    text[..<(text.lastIndex { !$0.isWhitespace }.map(text.index(after:)) ?? text.startIndex)])
}
