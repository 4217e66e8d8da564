/// A reader of lines, one sequence per line. Targets are the next symbols. Blank lines are skipped.
struct LineReader {
  let tokenizer: any CountedTokenizer

  func read(
    _ text: Span<UInt8>, _ line: Line, _ records: inout Records
  ) throws(DataError) {
    guard !text.isBlank(line.content) else { return }
    var record = Records.Record()
    record.inputs = tokens(text, line.content, tokenizer, &records.inputs)
    records.append(record)
  }
}
