import Configuration
import Formats
import Foundation
import Testing

private struct Everything: Codable, Equatable {
  var doubles: [Double] = [
    0.30000000000000004, 1e-8, 1e22, -0.0, 0.1, 1.0 / 3, .leastNonzeroMagnitude,
    .greatestFiniteMagnitude, 1, -20,
    0x1p53 + 2, 123456789.125,
  ]
  var floats: [Float] = [0.1, 1e-8, 3.4028235e38, 16777216, .leastNonzeroMagnitude, -0.0]
  var integers: [Int64] = [0, 1, -1, .max, .min, 1 << 53 + 1]
  var natural = UInt64.max
  var flags = [true, false]
  var words: [String] = [
    "yes", "no", "Yes", "on", "y", "1e3", "1_000", "0x10", "null", "Null", "~", "", " a ", "a: b",
    "#x", "a #x", "- a", "-", "?", "*a", "&a", "!a", "%a", "@a", "`a", "[a", "{a", "a, b", "'",
    "\"",
    "\\", "a\nb", "a\n", "\t", "\r\n", "\u{0}", "\u{7f}", "\u{85}", "\u{2028}", "a\u{feff}b", "é",
    "e\u{301}", "日本語", "🙂", "\u{10ffff}", "true", "False", ".inf", ".5", "1:30", "2001-01-01", "<<",
    "=", "/usr/share", "./a/b", "../a", "~/x", "a-b_c.d", "C:\\x", "<eos>", "key: [1]", "10m",
    "...",
    "---", "\u{fffe}", "\u{ffff}",
  ]
  var emptyList: [Int] = []
  var emptyMap: [String: Int] = [:]
  var map: [String: Double] = ["a b": 1, "no": 2, "": 3, "1": 4, "a: b": 5, "é": 6, "#": 7]
  var nested: [[[Int]]] = [[[1, 2], []], [], [[3]]]
  var lists: [[String: [String: Int]]] = [
    ["a": ["b": 1, "c": 2], "d": [:]], [:], ["e": ["f": 3]],
  ]
  var some: String? = "x"
  var none: String?
}

@Suite struct `Resolved configurations` {
  private func expectSame(_ decoded: Everything, sourceLocation: SourceLocation = #_sourceLocation)
  {
    let original = Everything()
    #expect(decoded == original, sourceLocation: sourceLocation)
    #expect(
      decoded.doubles.map(\.bitPattern) == original.doubles.map(\.bitPattern),
      sourceLocation: sourceLocation)
    #expect(
      decoded.floats.map(\.bitPattern) == original.floats.map(\.bitPattern),
      sourceLocation: sourceLocation)
    // Equal strings may differ in their scalars.
    #expect(
      decoded.words.map { Array($0.utf8) } == original.words.map { Array($0.utf8) },
      sourceLocation: sourceLocation)
  }

  @Test func `What is printed as YAML reads back to the same bits`() throws {
    let text = try ResolvedConfiguration.yaml(Everything())
    let again = try decode(Everything.self, text)
    expectSame(again)
    #expect(try ResolvedConfiguration.yaml(again) == text)
  }

  @Test func `What is written as JSON reads back to the same bits, as JSON and as YAML`() throws {
    let data = try ResolvedConfiguration.json(Everything())
    expectSame(try JSONDecoder().decode(Everything.self, from: data))
    expectSame(try decode(Everything.self, String(decoding: data, as: UTF8.self)))
  }

  @Test func `The YAML is what a person would write`() throws {
    let yaml = """
      model:
        layers:
          - cell: lstm
            dropout: 0.1
            hidden: 3
          - cell: elman
            dropout: null
            hidden: 4
      name: "two words"
      training:
        optimizer:
          learning_rate: 1e-08
          rule: sgd

      """
    #expect(try ResolvedConfiguration.yaml(try decode(Run.self, yaml)) == yaml)
  }

  @Test func `A word that some reader of YAML takes for something else is in quotes`() throws {
    for word in ["no", "Yes", "on", "null", "1e3", "0x1F", "1:30", ""] {
      #expect(try ResolvedConfiguration.yaml(["a": word]) == "a: \"\(word)\"\n")
    }
    #expect(try ResolvedConfiguration.yaml(["no": "text.txt"]) == "\"no\": text.txt\n")
  }

  @Test func `A number that is not finite is refused`() {
    #expect(throws: ConfigurationError.self) { try ResolvedConfiguration.json(["a": Double.nan]) }
  }
}
