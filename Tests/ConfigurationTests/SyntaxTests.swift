import Configuration
import Formats
import Testing

@Suite struct `YAML as it is written` {
  @Test func `Text that is no YAML is refused with its position`() {
    #expect(message(Run.self, "name: [a\nseed: 1").hasPrefix("a.yaml:2:5: not valid YAML: while"))
    #expect(
      message(Run.self, "name: a\n\tseed: 1") == "a.yaml:2:1: a tab cannot indent YAML; use spaces")
    #expect(
      message(Run.self, "name: *b").hasPrefix("a.yaml:1:7: not valid YAML: found undefined alias"))
    #expect(message(Run.self, "name: a\u{1}b").hasPrefix("a.yaml:1:8: not valid YAML: "))
    #expect(message(Run.self, "name: a\n---\nname: b").hasPrefix("a.yaml:2:1: not valid YAML: "))
  }

  @Test func `A configuration is a mapping`() throws {
    #expect(
      message(Run.self, "- a")
        == "a.yaml:1:1: a configuration is a mapping of keys to values, found a list")
    #expect(try decode(Run.self, "") == Run())
    #expect(try decode(Run.self, "# nothing yet\n") == Run())
    #expect(try decode(Run.self, "\u{feff}name: a\r\nseed: 2\r\n") == Run(name: "a", seed: 2))
    #expect(
      message(Run.self, "? [a]\n: 1") == "a.yaml:1:3: a key must be a word, not a list or a mapping"
    )
  }

  @Test(
    arguments: [
      ("seed: 1\nname: a\nseed: 2", 3, 1, 1), ("{seed: 1, 'seed': 2}", 1, 11, 1),
      ("name: a\r\ntraining:\r\n  epochs: 1\r\n  epochs: 2\r\n", 4, 3, 3),
      ("model: {layers: [{b: 1, é: 1, \"é\": 2}]}", 1, 31, 1),
      ("{a: {x: 1, x: 2}, b: {y: 1, y: 2}}", 1, 12, 1), ("a: 1\na: 2\na: 3", 2, 1, 1),
      ("{a: {x: 1, x: 2}, b: {x: 1, x: 2}}", 1, 12, 1),
      ("{\"a\": 1, \"a\": 2}", 1, 10, 1),
    ])
  func `A key that is there twice is reported where it stands again`(
    yaml: String, line: Int, column: Int, firstLine: Int
  ) {
    let message = message(Run.self, yaml)
    #expect(message.hasPrefix("a.yaml:\(line):\(column): the key \""))
    #expect(message.hasSuffix("is already in line \(firstLine); remove one of them"))
  }

  @Test func `An alias stands for what its anchor marks`() throws {
    let yaml = """
      model:
        layers:
          - &first {cell: lstm, hidden: 3}
          - *first
          - {<<: *first, hidden: 5, dropout: 0.1}
      """
    let layers = try #require(try decode(Run.self, yaml).model?.layers)
    #expect(layers.map(\.options.hidden) == [3, 3, 5])
    #expect(layers.map(\.dropout) == [nil, nil, 0.1])
  }

  @Test func `Of several merged mappings the first wins, and what is written wins over all`() throws
  {
    let yaml = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2, w: 2}\nc: {z: 3, <<: [*a, *b]}"
    let decoded = try decode([String: [String: Int]].self, yaml)
    #expect(decoded["c"] == ["x": 1, "y": 1, "z": 3, "w": 2])
    #expect(
      message([String: Int].self, "{<<: 3}") == "a.yaml:1:2: << merges mappings only, found \"3\"")
  }

  @Test func `Aliases of aliases do not fill the memory`() {
    var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      let aliases = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
      yaml += "a\(level): &a\(level) [\(aliases)]\n"
    }
    #expect(message(Run.self, yaml) == "a.yaml: has more than 100000 values; use fewer aliases")
  }
}
