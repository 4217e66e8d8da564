/// A sequence a line, and in files beside it, line by line, the one that an encoder reads before.
struct PairReader {
  let tokenizer, sourceTokenizer: Tokenizer

  /// Reads the sources of a part first, for their lines are waited for.
  func read(
    _ text: TextFiles, from source: TextFiles, _ records: inout Records
  ) throws(DataError) {
    let first = records.records.count
    try records.read(text) { (text, line, records) throws(DataError) in
      try append(&records) { record, records in
        record.inputs = tokens(text, line.content, tokenizer, &records.inputs)
        return record.inputs.isEmpty
      }
    }
    var sources = Records()
    sources.sources = records.sources
    try sources.read(source) { (text, line, records) throws(DataError) in
      try append(&records) { record, records in
        record.source = tokens(text, line.content, sourceTokenizer, &records.sources)
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

  /// Reads lines that the name of what is said leads, with a tab behind it.
  func read(
    _ text: TextFiles, of frames: FrameTable, _ records: inout Records
  ) throws(DataError) {
    try records.read(text) { (text, line, records) throws(DataError) in
      guard let tab = text.place(of: UInt8(ascii: "\t"), in: line.content) else {
        throw records.refusal("has no name of frames: write a name, a tab and what is said of them")
      }
      let id = trimmed(string(text, line.content.lowerBound..<tab))
      guard let found = frames[id] else {
        throw records.refusal(
          "is of '\(id)', and \(frames.name) has no frames of that name: remove the line or give them"
        )
      }
      var record = Records.Record()
      record.sourceFrames = found
      record.inputs = tokens(text, tab + 1..<line.content.upperBound, tokenizer, &records.inputs)
      guard !record.inputs.isEmpty else {
        throw records.refusal("is blank behind its name: remove it or write what is said")
      }
      records.append(record)
    }
  }

  private func append(
    _ records: inout Records, _ fill: (inout Records.Record, inout Records) -> Bool
  ) throws(DataError) {
    var record = Records.Record()
    guard !fill(&record, &records) else {
      throw records.refusal("is blank, and a pair has two sides: remove it and its other side")
    }
    records.append(record)
  }
}
