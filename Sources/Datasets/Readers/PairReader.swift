/// A reader of pairs: one target sequence per line, and its source in another file, line by line.
struct PairReader {
  let cutter, sourceCutter: SequenceCutter

  /// Reads the sources first, because their number is needed.
  func read(
    _ text: TextFiles, from source: TextFiles, _ records: inout Records
  ) throws(DataError) {
    let first = records.records.count
    try records.read(text) { (text, line, records) throws(DataError) in
      try append(&records) { (record, records) throws(DataError) in
        record.inputs = try records.symbols(of: text, line.content, cutter, \.inputs)
        return record.inputs.isEmpty
      }
    }
    var sources = Records()
    sources.sources = records.sources
    try sources.read(source) { (text, line, records) throws(DataError) in
      try append(&records) { (record, records) throws(DataError) in
        record.source = try records.symbols(of: text, line.content, sourceCutter, \.sources)
        return record.source.isEmpty
      }
    }
    let count = records.records.count - first
    guard sources.records.count == count else {
      throw DataError(
        "\(source.name) has \(sources.records.count) lines and \(text.name) has \(count): give files "
          + "whose lines belong together")
    }
    records.sources = sources.sources
    for i in 0..<count { records.records[first + i].source = sources.records[i].source }
  }

  /// Reads lines that start with the name of their frames and a tab.
  func read(
    _ text: TextFiles, of frames: FrameTable, _ records: inout Records
  ) throws(DataError) {
    try records.read(text) { (text, line, records) throws(DataError) in
      guard let tab = text.place(of: UInt8(ascii: "\t"), in: line.content) else {
        throw records.refusal("does not name its frames: write their name, a tab and a text")
      }
      let id = trimmed(string(text, line.content.lowerBound..<tab))
      guard let found = frames[id] else {
        throw records.refusal(
          "names the frames '\(id)', but \(frames.name) has none of that name: remove the line or "
            + "add the frames"
        )
      }
      var record = Records.Record()
      record.sourceFrames = found
      record.inputs = try records.symbols(
        of: text, tab + 1..<line.content.upperBound, cutter, \.inputs)
      guard !record.inputs.isEmpty else {
        throw records.refusal("has no text after the name: remove the line or write a text")
      }
      records.append(record)
    }
  }

  private func append(
    _ records: inout Records,
    _ fill: (inout Records.Record, inout Records) throws(DataError) -> Bool
  ) throws(DataError) {
    var record = Records.Record()
    guard try !fill(&record, &records) else {
      throw records.refusal("is blank: remove it and the other line of its pair")
    }
    records.append(record)
  }
}
