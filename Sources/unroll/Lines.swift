internal import Datasets
internal import Foundation

/// Returns the lines of a text file, or of standard input without a file.
func lines(of file: String?) throws -> [String] {
  var text: Data
  if let file {
    // A pipe works too.
    guard let handle = FileHandle(forReadingAtPath: file),
      let read = try? handle.readToEnd() ?? Data()
    else {
      throw DataError("\(file) cannot be read: check the path and its permissions")
    }
    text = read
  } else {
    text = FileHandle.standardInput.readDataToEndOfFile()
  }
  let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
  if text.starts(with: mark) { text = text.dropFirst(mark.count) }
  var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  if lines.last?.isEmpty == true { lines.removeLast() }
  return try lines.enumerated().map { number, line in
    // A line ends with "\n" or "\r\n".
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    guard let words = String(validating: line, as: UTF8.self) else {
      throw DataError(
        "\(file ?? "standard input"):\(number + 1): the line is not UTF-8; convert it with iconv")
    }
    return words
  }
}
