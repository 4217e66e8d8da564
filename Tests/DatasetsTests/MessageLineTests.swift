import Datasets
import Testing

@Suite struct `Messages of data` {
  @Test func `with names out of a file stay one line, and say which characters they hold`() {
    let error = DataError("a.json names 'x\n\u{1}\r\ny\u{2028}é': mend it")
    #expect("\(error)" == #"a.json names 'x\n\u{01}\r\ny\u{2028}é': mend it"#)
    #expect("\(DataError("plain words"))" == "plain words")
  }
}
