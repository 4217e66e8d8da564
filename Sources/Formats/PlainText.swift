internal import Foundation

/// Formats a number with a fixed number of digits after the point.
package func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite else { return "\(value)" }
  return String(format: "%.\(digits)f", value)
}

/// Formats rows of cells as lines, each column as wide as its widest cell; the first row is the
/// heading.
package func table(_ rows: [[String]], rightAligned: Set<Int> = []) -> String {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in
    rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  return rows.map { row in
    var line = ""
    for (column, cell) in row.enumerated() {
      let gap = String(repeating: " ", count: widths[column] - cell.count)
      line += (column > 0 ? "  " : "") + (rightAligned.contains(column) ? gap + cell : cell + gap)
    }
    while line.last == " " { line.removeLast() }
    return line
  }.joined(separator: "\n")
}

/// Formats a number of bytes with a unit: `512 B`, `3.4 MiB`.
package func bytes(_ count: Int) -> String {
  var value = Double(count)
  var unit = "B"
  for larger in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
    value /= 1024
    unit = larger
  }
  return unit == "B" ? "\(count) B" : "\(fixed(value, 1)) \(unit)"
}

/// Returns JSON for people and programs, with sorted keys on separate lines.
package func prettyJSON(_ value: some Encodable) throws -> String {
  String(decoding: try JSONValue.encoder(pretty: true).encode(value), as: UTF8.self)
}
