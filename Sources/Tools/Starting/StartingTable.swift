internal import Configuration
internal import Datasets
internal import Foundation

/// The columns of a table of series.
struct StartingTable {
  /// The columns of numbers, by name or number, as a configuration writes them.
  let inputs: [String]
  /// The column that tells series apart; nil for none.
  let id: String?
  /// The columns of other texts.
  let leftOut: [String]
  /// The number of series.
  let series: Int

  private typealias Row = (line: Int, cells: [String])

  /// - Throws: `DataError` for a table without a column of numbers, or with a gap in one.
  init(_ text: String, from path: String) throws {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated().map { number, line -> Row in
        let cells = line.split(separator: ",", omittingEmptySubsequences: false)
        return (number + 1, cells.map { $0.trimmingCharacters(in: .whitespaces) })
      }
    func isBlank(_ row: Row) -> Bool { row.cells.allSatisfy(\.isEmpty) }
    guard let first = lines.first(where: { !isBlank($0) })?.cells else {
      throw DataError("\(path) has no rows: give a table of numbers in CSV")
    }
    // A line with a number is none of names.
    let hasHeader = !first.contains(where: Self.isNumber)
    let rows = lines.drop(while: isBlank).dropFirst(hasHeader ? 1 : 0)
    let full = rows.filter { !isBlank($0) }
    let names =
      hasHeader ? first.map(StartingConfiguration.quoted) : first.indices.map { String($0 + 1) }
    func values(_ column: Int) -> [String] {
      full.map { $0.cells.count > column ? $0.cells[column] : "" }
    }
    let known = ["id", "run", "series", "sequence", "name"]
    func mayTellSeries(_ column: Int) -> Bool {
      let isNamed = hasHeader && known.contains(first[column].lowercased())
      let values = values(column)
      return (isNamed || !values.allSatisfy(Self.isNumber)) && Self.comeInRuns(values)
    }
    let id = first.indices.first(where: mayTellSeries)
    var (inputs, leftOut): ([Int], [Int]) = ([], [])
    for column in first.indices where column != id {
      let values = values(column)
      guard let gap = values.firstIndex(where: { !Self.isNumber($0) }) else {
        if !values.isEmpty { inputs.append(column) }
        continue
      }
      guard 2 * values.count(where: Self.isNumber) < values.count else {
        throw DataError(
          "\(path), line \(full[full.startIndex + gap].line) has no number in column \(column + 1)"
            + "\(hasHeader ? " (\(first[column]))" : ""), and other lines have: fill it in, or remove the "
            + "column or the line")
      }
      leftOut.append(column)
    }
    guard !inputs.isEmpty else {
      throw DataError("\(path) has no column of numbers alone: give a table of numbers in CSV")
    }
    self.inputs = inputs.map { names[$0] }
    self.id = id.map { names[$0] }
    self.leftOut = leftOut.map { names[$0] }
    if let id {
      series = Self.runs(values(id))
    } else {
      series = rows.split(whereSeparator: isBlank).count
    }
  }

  private static func isNumber(_ text: String) -> Bool { Double(text)?.isFinite == true }

  /// The number of runs of equal values.
  private static func runs(_ values: [String]) -> Int {
    (values.isEmpty ? 0 : 1) + zip(values, values.dropFirst()).count { $0 != $1 }
  }

  /// True if each value stands in lines that follow one another, of which there are two or more on average.
  private static func comeInRuns(_ values: [String]) -> Bool {
    let runs = runs(values)
    return !values.contains("") && runs == Set(values).count && 2 * runs <= values.count
  }
}
