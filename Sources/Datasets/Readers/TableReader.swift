internal import Recurrence

/// Numbers in columns, a step a line: some are read, and others, the next row or a class are asked
/// for. Sequences are parted by a blank line, or where the value of a column changes.
///
/// The first line of a file names the columns, if one is asked for by its name.
struct TableReader {
  let columns: ColumnOptions
  private let hasNames: Bool

  /// - Parameter hasNames: whether the first line has names; nil where the columns tell.
  init(columns: ColumnOptions, hasNames: Bool? = nil) {
    self.columns = columns
    self.hasNames = hasNames ?? columns.hasNames
  }

  /// Where columns are in a line, from 0.
  private struct Places {
    var inputs, targets: [Int]
    var classes, id: Int?
  }

  func read(_ text: TextFiles, _ records: inout Records) throws(DataError) {
    var places: Places?
    var record = Records.Record()
    var id: String?
    for file in text.files {
      places = hasNames ? nil : try self.places([], records)
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
        try readTargets(of: found.targets, cells, into: &record, records)
        if let column = found.classes {
          try readClass(cell(column, cells, records), of: column, into: &record, &records)
        }
      }
      finish(&record, &records)
      id = nil
    }
  }

  /// Ends a sequence. One of a single row has no next row to ask for, and is left out.
  private func finish(_ record: inout Records.Record, _ records: inout Records) {
    let rows =
      columns.inputs.isEmpty ? record.asks.count : record.frames.count / columns.inputs.count
    if rows >= (columns.answer == .next ? 2 : 1) { records.append(record) }
    record = Records.Record()
  }

  /// A row whose target cells are all empty asks for nothing.
  private func readTargets(
    of columns: [Int], _ cells: [String], into record: inout Records.Record, _ records: Records
  ) throws(DataError) {
    var (empty, filled): (Int?, Int?)
    for column in columns.reversed() {
      if try cell(column, cells, records).isEmpty { empty = column } else { filled = column }
    }
    if let empty, let filled {
      throw records.refusal(
        "has nothing in column \(empty + 1) and a target in column \(filled + 1): write all targets "
          + "of a row, or none where nothing is asked for")
    }
    record.asks.append(empty == nil)
    for column in columns {
      record.values.append(empty == nil ? try number(column, cells, records) : 0)
    }
  }

  private func readClass(
    _ name: String, of column: Int, into record: inout Records.Record, _ records: inout Records
  ) throws(DataError) {
    if case .tag = columns.answer, name.isEmpty {
      record.labels.append(Batch.noTarget)
      return
    }
    guard !name.isEmpty else {
      throw records.refusal("has no label in column \(column + 1): write one at every row")
    }
    let label = Int32(records.labels.insert(Array(name.utf8)).symbol)
    if case .label = columns.answer, let first = record.labels.first {
      guard label == first else {
        let other = String(decoding: records.labels[Int(first)], as: UTF8.self)
        throw records.refusal(
          "has the label '\(name)' in a sequence that began with '\(other)': part sequences by a blank "
            + "line or by data.columns.id, or name a tag for each row")
      }
    } else {
      record.labels.append(label)
    }
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

  private func places(_ names: [String], _ records: Records) throws(DataError) -> Places {
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
    var places = Places(inputs: [], targets: [])
    for column in columns.inputs { places.inputs.append(try place(column)) }
    for column in columns.targets { places.targets.append(try place(column)) }
    if let column = columns.classes { places.classes = try place(column) }
    if let column = columns.id { places.id = try place(column) }
    return places
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
