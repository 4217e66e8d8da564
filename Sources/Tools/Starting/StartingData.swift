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
    if let path = files.first(where: { $0.unicodeScalars.contains { $0.value < 32 } }) {
      throw UsageError(
        "a path has a line end or another control character: rename \(path.debugDescription)")
    }
    let text = try TextFiles(files)
    isUnicode = try text.areUTF8()
    characters = try text.characterCount()
    if ![.characters, .words, .subwords].contains(purpose) {
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
}
