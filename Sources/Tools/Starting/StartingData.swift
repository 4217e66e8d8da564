internal import Configuration
internal import Datasets
internal import Foundation

/// The facts about data that `unroll init` finds in its files, enough to choose widths and lengths.
struct StartingData {
  /// The files as a configuration names them.
  let paths: [String]
  /// False if there are no files yet, and the others are a guess.
  let isGiven: Bool
  /// The number of characters, of all files of the text or of the first file.
  private(set) var characters = 1_000_000
  /// The number of lines that are not blank, in the last file.
  private(set) var lines = 10_000
  /// False for text that is not UTF-8.
  private(set) var isUnicode = true
  /// The columns of a table.
  private(set) var table: StartingTable?

  /// - Throws: `UsageError` for another number of files, `DataError` for files that cannot be read.
  init(_ purpose: Purpose, _ files: [String]) throws {
    let (least, most) =
      switch purpose {
      case .characters, .words, .subwords: (1, Int.max)
      case .translation: (2, 2)
      case .classification, .tagging, .music, .series: (1, 1)
      }
    isGiven = !files.isEmpty
    paths = files.isEmpty ? purpose.usualFiles : files
    guard isGiven else { return }
    guard (least...most).contains(files.count) else {
      throw UsageError(
        purpose == .translation
          ? "translation takes two files, the sources and the outputs: give both, or none"
          : "\(purpose.rawValue) takes one file: give it, or none")
    }
    let text = try TextFiles(files)
    characters = try text.characterCount()
    if purpose == .characters || purpose == .words || purpose == .subwords {
      isUnicode = Self.isUnicode(files[0])
    } else {
      let content = try Self.content(of: files[files.count - 1])
      lines = content.split(whereSeparator: \.isNewline).count { !$0.allSatisfy(\.isWhitespace) }
      if purpose == .series { table = try StartingTable(content, from: files[0]) }
    }
  }

  private static func content(of path: String) throws -> String {
    guard let data = FileManager.default.contents(atPath: path),
      let text = String(validating: data, as: UTF8.self)
    else {
      throw DataError("\(path) is not a file of UTF-8: convert it, for example with iconv")
    }
    return text
  }

  /// Returns true if the beginning of a file is UTF-8; true for a folder.
  private static func isUnicode(_ path: String) -> Bool {
    guard let handle = FileHandle(forReadingAtPath: path),
      let data = try? handle.read(upToCount: 1 << 20)
    else { return true }
    // The last character may be cut.
    return (0...3).contains { String(validating: data.dropLast($0), as: UTF8.self) != nil }
  }
}

/// The columns of a table of series.
struct StartingTable {
  /// The columns of numbers, by name or number, as a configuration writes them.
  let inputs: [String]
  /// The column that tells series apart; nil for none.
  let id: String?
  /// The number of series.
  let series: Int
  let rows: Int

  init(_ text: String, from path: String) throws {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .map { $0.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed) }
    func isBlank(_ row: [String]) -> Bool { row.allSatisfy(\.isEmpty) }
    guard let first = lines.first(where: { !isBlank($0) }) else {
      throw DataError("\(path) has no rows: give a table of numbers in CSV")
    }
    let hasHeader = first.contains { Double($0) == nil }
    let rows = lines.drop(while: isBlank).dropFirst(hasHeader ? 1 : 0)
    let full = rows.filter { !isBlank($0) }
    let names = hasHeader ? first.map(Self.quoted) : first.indices.map { String($0 + 1) }
    let known = ["id", "run", "series", "sequence", "name"]
    let id = first.indices.first { column in
      (hasHeader && known.contains(first[column].lowercased()))
        || full.contains { $0.count > column && Double($0[column]) == nil }
    }
    let inputs = first.indices.filter { column in
      column != id && full.allSatisfy { $0.count > column && Double($0[column]) != nil }
    }
    guard !inputs.isEmpty else {
      throw DataError("\(path) has no column of numbers alone: give a table of numbers in CSV")
    }
    self.inputs = inputs.map { names[$0] }
    self.id = id.map { names[$0] }
    self.rows = full.count
    if let id {
      let ids = full.map { $0.count > id ? $0[id] : "" }
      series = 1 + zip(ids, ids.dropFirst()).count { $0 != $1 }
    } else {
      series = rows.split(whereSeparator: isBlank).count
    }
  }

  private static func trimmed(_ field: Substring) -> String {
    field.trimmingCharacters(in: .whitespaces)
  }

  private static func quoted(_ name: String) -> String { StartingConfiguration.quoted(name) }
}
