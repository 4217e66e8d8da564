/// A sequence a line: the next symbol is asked for. Blank lines are left out.
struct LineReader {
  let tokenizer: Tokenizer

  func read(
    _ text: Span<UInt8>, _ line: Line, _ records: inout Records
  ) throws(DataError) {
    guard !text.isBlank(line.content) else { return }
    var record = Records.Record()
    record.inputs = tokens(text, line.content, tokenizer, &records.inputs)
    records.append(record)
  }
}
