import Configuration
import Formats
import Foundation
import Reporting
import TestSupport
import Testing
import Training

@Suite struct `The file of metrics` {
  private struct Line: Encodable {
    let step: Int
    let loss: Double
  }

  /// Returns the rest of a text after a run that has taken `step` steps has opened it.
  private func kept(_ text: String, through step: Int) throws -> String {
    try withTemporaryFolder { folder in
      let path = folder + "/metrics.jsonl"
      try put(Array(text.utf8), at: path)
      _ = try MetricsFile(path, keepingThrough: step)
      return String(decoding: try bytes(at: path), as: UTF8.self)
    }
  }

  @Test func `keeps the lines up to a step, wherever they are cut, whatever they are as long as`()
    throws
  {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<60 {
      // Several lines of a step, steps left out, lines longer than what is read at once.
      var (lines, step): ([(step: Int, text: String)], Int) = ([], 0)
      for _ in 0..<Int.random(in: 0...40, using: &random) {
        step += Int.random(in: 0...3, using: &random)
        let filler = String(repeating: "x", count: Int.random(in: 0...9000, using: &random))
        lines.append((step, "{\"filler\":\"\(filler)\",\"step\":\(step)}\n"))
      }
      let text = lines.map(\.text).joined()
      for through in [0, 1, step / 2, max(step - 1, 0), step, step + 5] {
        let expected = lines.filter { $0.step <= through }.map(\.text).joined()
        #expect(try kept(text, through: through) == expected, "through \(through)")
      }
    }
  }

  @Test(arguments: [7, 8])
  func `removes an unfinished line and the test's, which come again`(_ step: Int) throws {
    let lines = (1...8).map { "{\"loss\":2.5,\"step\":\($0)}\n" }
    let expected = lines.prefix(step).joined()
    for rest in [
      "{\"step\":8,\"test_loss\":1.5}\n", "{\"step\":8,\"test_loss\":\"nan\"}\n", "{\"ste",
      "{\"step\":9,\"loss\":3}\n{\"step\":10", "\u{0}\u{0}\u{0}",
      "{\"step\":8,\"test_loss\":1.5}\n{\"step\":8", "\n\n",
    ] {
      #expect(try kept(lines.joined() + rest, through: step) == expected, "\(rest)")
    }
  }

  @Test func `adds lines with the time of writing behind those that are kept`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/metrics.jsonl"
      let before = Date().timeIntervalSince1970
      let first = try MetricsFile(path, keepingThrough: 0)
      for step in 1...3 { try first.append(Line(step: step, loss: .nan)) }
      let second = try MetricsFile(path, keepingThrough: 2)
      try second.append(Line(step: 3, loss: 0.5))
      let after = Date().timeIntervalSince1970
      let lines = try bytes(at: path).split(separator: UInt8(ascii: "\n")).map {
        try JSONDecoder().decode(JSONValue.self, from: Data($0))
      }
      #expect(lines.map { $0["step"]?.double } == [1, 2, 3])
      #expect(lines.last?["loss"]?.double == 0.5)
      for line in lines {
        let time = try #require(line["time"]?.double)
        // Rounded to a millisecond.
        #expect(time > before - 0.001 && time < after + 0.001)
      }
    }
  }

  @Test func `is no pipe that would be waited for`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/metrics.jsonl"
      #expect(mkfifo(path, 0o600) == 0)
      let error = #expect(throws: FileError.self) {
        _ = try MetricsFile(path, keepingThrough: 0)
      }
      #expect(error?.exitCode == 73)
      #expect(error?.description.contains("not a regular file") == true)
    }
  }
}
