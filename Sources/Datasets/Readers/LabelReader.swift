/// A reader of lines `label⇥text`, one example per line. The label is the target of the last step.
/// Blank lines are skipped.
struct LabelReader {
  let cutter: SequenceCutter

  func read(
    _ text: Span<UInt8>, _ line: Line, _ records: inout Records
  ) throws(DataError) {
    guard !text.isBlank(line.content) else { return }
    guard let tab = text.place(of: UInt8(ascii: "\t"), in: line.content),
      tab > line.content.lowerBound
    else { throw records.refusal("has no label: write a label, a tab and a text") }
    var record = Records.Record()
    record.inputs = try records.symbols(
      of: text, tab + 1..<line.content.upperBound, cutter, \.inputs)
    guard !record.inputs.isEmpty else {
      throw records.refusal("has a label but no text: write a text after the tab")
    }
    record.labels = [Int32(records.labels.insert(text, line.content.lowerBound..<tab).symbol)]
    records.append(record)
  }
}
