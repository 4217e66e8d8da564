/// A reader of lines `token|TAG token|TAG …`, one sequence per line. The last `|` of a token
/// separates it from its tag. Blank lines are skipped.
struct TagReader {
  func read(
    _ text: Span<UInt8>, _ line: Line, _ records: inout Records
  ) throws(DataError) {
    var record = Records.Record()
    var words = WordScanner(line.content)
    while let word = words.next(in: text) {
      guard let bar = text.lastPlace(of: UInt8(ascii: "|"), in: word), bar > word.lowerBound,
        bar + 1 < word.upperBound
      else {
        throw records.refusal(
          "has '\(string(text, word))', which is not token|TAG: write a tag after each token")
      }
      record.inputs.append(Int32(records.inputs.insert(text, word.lowerBound..<bar).symbol))
      record.labels.append(Int32(records.labels.insert(text, bar + 1..<word.upperBound).symbol))
    }
    if !record.inputs.isEmpty { records.append(record) }
  }
}
