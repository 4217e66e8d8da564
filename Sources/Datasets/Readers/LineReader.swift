/// A reader of lines, one sequence per line. Targets are the next symbols. Blank lines are skipped.
struct LineReader {
  let cutter: SequenceCutter

  func read(
    _ text: Span<UInt8>, _ line: Line, _ records: inout Records
  ) throws(DataError) {
    guard !text.isBlank(line.content) else { return }
    var record = Records.Record()
    record.inputs = try records.symbols(of: text, line.content, cutter, \.inputs)
    records.append(record)
  }
}
