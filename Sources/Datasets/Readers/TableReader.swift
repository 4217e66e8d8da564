/// Numbers in columns, a step a line: some are read, and some are asked for. Sequences are parted by a
/// blank line, or where the value of a column changes.
///
/// The first line of a file names the columns, if one is asked for by its name.
struct TableReader {
  let columns: ColumnOptions

  func read(_ text: TextFiles, _ records: inout Records) throws(DataError) {
    var places: (inputs: [Int], targets: [Int], id: Int?)?
    var record = Records.Record()
    var id: String?
    for file in text.files {
      places = columns.hasNames ? nil : columns.numbers
      try records.read(TextFiles([file.path])) { (text, line, records) throws(DataError) in
        if text.isBlank(line.content) {
          finish(&record, &records)
          return
        }
        let cells = cells(text, line.content)
        guard let found = places else {
          places = try self.places(cells, records)
          return
        }
        if let column = found.id {
          let value = try cell(column, cells, records)
          if value != id { finish(&record, &records) }
          id = value
        }
        for column in found.inputs { record.frames.append(try number(column, cells, records)) }
        for column in found.targets { record.values.append(try number(column, cells, records)) }
      }
      finish(&record, &records)
      id = nil
    }
  }

  private func finish(_ record: inout Records.Record, _ records: inout Records) {
    if !record.frames.isEmpty { records.append(record) }
    record = Records.Record()
  }

  private func cells(_ text: Span<UInt8>, _ line: Range<Int>) -> [String] {
    string(text, line).split(
      separator: Character(columns.separator), omittingEmptySubsequences: false
    )
    .map { cell in
      let cell = cell.drop { $0.isWhitespace }
      return String(
        cell[..<(cell.lastIndex { !$0.isWhitespace }.map(cell.index(after:)) ?? cell.startIndex)])
    }
  }

  private func places(
    _ names: [String], _ records: Records
  ) throws(DataError) -> (inputs: [Int], targets: [Int], id: Int?) {
    func place(_ column: ColumnOptions.Column) throws(DataError) -> Int {
      switch column {
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
    var (inputs, targets): ([Int], [Int]) = ([], [])
    for column in columns.inputs { inputs.append(try place(column)) }
    for column in columns.targets { targets.append(try place(column)) }
    return (inputs, targets, try columns.id.map { (id) throws(DataError) in try place(id) })
  }

  private func cell(
    _ column: Int, _ cells: [String], _ records: Records
  ) throws(DataError) -> String {
    guard column < cells.count else {
      throw records.refusal(
        "has \(cells.count) columns and no column \(column + 1): check data.columns and the separator"
      )
    }
    return cells[column]
  }

  private func number(
    _ column: Int, _ cells: [String], _ records: Records
  ) throws(DataError) -> Double {
    let cell = try cell(column, cells, records)
    guard let number = Double(cell), number.isFinite else {
      throw records.refusal("has '\(cell)' in column \(column + 1): write a number there")
    }
    return number
  }
}

extension ColumnOptions {
  /// Whether any column is asked for by its name, so that the first line has the names.
  var hasNames: Bool {
    columns.contains { if case .name = $0 { true } else { false } }
  }

  /// The places of columns that all have numbers.
  fileprivate var numbers: (inputs: [Int], targets: [Int], id: Int?) {
    func place(_ column: Column) -> Int {
      if case .number(let number) = column { number - 1 } else { 0 }
    }
    return (inputs.map(place), targets.map(place), id.map(place))
  }
}
