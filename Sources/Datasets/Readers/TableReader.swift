internal import Sequences

/// A reader of numbers in columns, one step per line. Some columns are inputs; the targets are
/// other columns, the next row, or a class. A blank line, or a change in the value of a column,
/// separates sequences.
///
/// The first line of a file names the columns, if any column is given by its name.
struct TableReader {
  let columns: ColumnOptions
  private let condition: ConditionReader?
  private let hasNames: Bool

  /// - Parameters:
  ///   - condition: The columns of the condition.
  ///   - hasNames: True if the first line has names; nil if the columns decide it.
  init(columns: ColumnOptions, condition: ConditionOptions? = nil, hasNames: Bool? = nil) {
    self.columns = columns
    self.condition = condition.map { ConditionReader(options: $0) }
    self.hasNames = hasNames ?? (columns.hasNames || condition?.hasNames ?? false)
  }

  /// The indices of the columns in a line, from 0.
  private struct Places {
    var inputs, targets: [Int]
    var classes, id: Int?
    var condition: [Int] = []
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
        let cells = cells(text, line.content, columns.separator)
        guard let found = places else {
          places = try self.places(cells, records)
          return
        }
        if let column = found.id {
          let value = try cell(column, cells, records)
          if value != id { finish(&record, &records) }
          id = value
          record.id = value
        }
        for column in found.inputs { record.frames.append(try number(column, cells, records)) }
        try readTargets(of: found.targets, cells, into: &record, records)
        if let column = found.classes {
          try readClass(cell(column, cells, records), of: column, into: &record, &records)
        }
        try readCondition(at: found.condition, cells, into: &record, &records)
      }
      finish(&record, &records)
      id = nil
    }
  }

  /// Ends a sequence. If targets are the next row, a sequence of one row has none and is skipped.
  private func finish(_ record: inout Records.Record, _ records: inout Records) {
    let rows =
      columns.inputs.isEmpty ? record.asks.count : record.frames.count / columns.inputs.count
    if rows >= (columns.answer == .next ? 2 : 1) { records.append(record) }
    record = Records.Record()
  }

  /// Reads the targets of a row. A row with only empty target cells has no target.
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
          + "of a row, or none of them")
    }
    record.asks.append(empty == nil)
    for column in columns {
      record.values.append(empty == nil ? try number(column, cells, records) : 0)
    }
  }

  /// Reads the condition of a sequence, which stands in all of its rows.
  private func readCondition(
    at places: [Int], _ cells: [String], into record: inout Records.Record,
    _ records: inout Records
  ) throws(DataError) {
    guard let condition else { return }
    let known = try condition.known(places, cells, &records)
    guard hasBegun(record) else {
      record.known = known
      return
    }
    guard known == record.known else {
      throw records.refusal(
        "has another condition (\(places.map { cells[$0] }.joined(separator: ", "))) than the row that "
          + "its sequence began with: separate sequences by a blank line or by data.columns.id")
    }
  }

  /// True if the record had a row before the current one.
  private func hasBegun(_ record: Records.Record) -> Bool {
    record.asks.count > 1
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
          "has the label '\(name)' in a sequence that began with '\(other)': separate sequences "
            + "by a blank line or by data.columns.id, or name a tag for each row")
      }
    } else {
      record.labels.append(label)
    }
  }

  private func places(_ names: [String], _ records: Records) throws(DataError) -> Places {
    func place(_ column: ColumnOptions.Column) throws(DataError) -> Int {
      try column.place(in: names, records)
    }
    var places = Places(inputs: [], targets: [])
    for column in columns.inputs { places.inputs.append(try place(column)) }
    for column in columns.targets { places.targets.append(try place(column)) }
    if let column = columns.classes { places.classes = try place(column) }
    if let column = columns.id { places.id = try place(column) }
    if let condition { places.condition = try condition.places(names, records) }
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
    guard let number = Double(cell), Float(number).isFinite else {
      throw records.refusal("has '\(cell)' in column \(column + 1): write a number there")
    }
    return number
  }
}
