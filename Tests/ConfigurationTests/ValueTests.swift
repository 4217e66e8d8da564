import Configuration
import Formats
import Testing

private struct Values: Decodable, Equatable {
  var bool: Bool?
  var int: Int?
  var small: Int8?
  var natural: UInt64?
  var double: Double?
  var float: Float?
  var string: String?
}

@Suite struct `Values and their types` {
  @Test(
    arguments: [
      ("3", 3), ("-3", -3), ("+3", 3), ("1_000", 1000), ("1e3", 1000), ("1.5e1", 15), ("20.0", 20),
      ("0x1F", 31), ("0o17", 15), ("007", 7), ("9223372036854775807", Int.max),
      ("-9223372036854775808", Int.min),
    ])
  func `An integer is written in any way that is exactly one`(text: String, value: Int) throws {
    #expect(try decode(Values.self, "int: \(text)").int == value)
  }

  @Test(
    arguments: [
      "many", "1.5", "1e-3", "9007199254740993.0", "1e300", "9223372036854775808", "1__0", "_1",
      "1_", "\"3\"", "0x",
      "0x-1", "yes", "true", "1 2", ".inf", ".", "1e",
    ])
  func `What is no integer is refused`(text: String) {
    #expect(
      message(Values.self, "int: \(text)").hasPrefix("a.yaml:1:6: expected an integer for int,"))
  }

  @Test(
    arguments: [
      ("0.30000000000000004", 0.30000000000000004), ("1e-8", 1e-8), ("1e22", 1e22), (".5", 0.5),
      ("5.", 5), ("-0.0", -0.0), ("1_000.5", 1000.5), ("1E+2", 100),
      ("4.9e-324", .leastNonzeroMagnitude),
      ("7", 7),
    ])
  func `A number is read to the last bit`(text: String, value: Double) throws {
    let read = try #require(try decode(Values.self, "double: \(text)").double)
    #expect(read.bitPattern == value.bitPattern)
  }

  @Test(arguments: ["nan", ".nan", ".inf", "inf", "1e999", "0x1p3", "1,5"])
  func `What is no finite number is refused`(text: String) {
    #expect(
      message(Values.self, "double: \(text)")
        == "a.yaml:1:9: expected a finite number for double, found \"\(text)\"")
  }

  @Test func `A number too large for its type is refused`() throws {
    #expect(
      message(Values.self, "small: 128")
        == "a.yaml:1:8: expected an integer from -128 to 127 for small, found \"128\"")
    #expect(
      message(Values.self, "natural: -1")
        == "a.yaml:1:10: expected an integer ≥ 0 for natural, found \"-1\"")
    #expect(message(Values.self, "float: 1e39").contains("expected a finite number for float"))
    #expect(try decode(Values.self, "natural: 18446744073709551615").natural == .max)
    #expect(try decode(Values.self, "float: 0.1").float == 0.1)
  }

  @Test func `A truth value is true or false and nothing else`() throws {
    #expect(try decode(Values.self, "bool: true").bool == true)
    #expect(try decode(Values.self, "bool: false").bool == false)
    for word in ["yes", "no", "on", "1"] {
      #expect(
        message(Values.self, "bool: \(word)")
          == "a.yaml:1:7: expected true or false for bool, found \"\(word)\"")
    }
    #expect(
      message(Values.self, "bool: \"true\"")
        == "a.yaml:1:7: expected true or false for bool, found the string \"true\"")
  }

  @Test func `A string is any scalar, as it is written`() throws {
    for word in ["no", "1.0", "1e3", "a b", "~/x", "2001-01-01"] {
      #expect(try decode(Values.self, "string: \(word)").string == word)
    }
    #expect(try decode(Values.self, "string: \"null\"").string == "null")
    #expect(try decode(Values.self, "string: |\n  a\n  b\n").string == "a\nb\n")
    #expect(try decode(Values.self, "string: !!str 5").string == "5")
    #expect(
      message(Values.self, "string: [a]")
        == "a.yaml:1:9: expected a string for string, found a list")
    #expect(message(Values.self, "string: !path x") == "a.yaml:1:9: unknown tag !path; remove it")
  }

  @Test(arguments: ["", "~", "null"])
  func `Null is the same as absent`(text: String) throws {
    #expect(try decode(Values.self, "int: \(text)\nstring: \(text)") == Values())
    #expect(
      message(Run.Optimizer.self, "rule: \(text)")
        == "a.yaml:1:1: the configuration needs the key \"rule\"; add it")
  }

  @Test func `A wrong type says where, what was expected and what was found`() {
    let yaml = "model:\n  layers:\n    - cell: lstm\n      hidden: many\n"
    #expect(
      message(Run.self, yaml)
        == "a.yaml:4:15: expected an integer for model.layers.0.hidden, found \"many\"")
    #expect(
      message(Run.self, "model: [1]") == "a.yaml:1:8: expected a mapping for model, found a list")
    #expect(
      message(Run.self, "model: {layers: 3}")
        == "a.yaml:1:17: expected a list for model.layers, found \"3\"")
  }

  @Test func `A missing key is reported at the mapping that lacks it`() {
    #expect(
      message(Run.self, "model:\n  layers:\n    - cell: lstm\n")
        == "a.yaml:3:7: model.layers.0 needs the key \"hidden\"; add it")
    #expect(
      message(Run.Optimizer.self, "")
        == "a.yaml:1:1: the configuration needs the key \"rule\"; add it")
  }

  @Test func `A missing key that is there misspelled is reported where it is`() {
    #expect(
      message(Run.self, "model:\n  layers:\n    - {cell: lstm, hiden: 3}\n")
        == "a.yaml:3:20: model.layers.0 needs the key \"hidden\"; is \"hiden\" a misspelling?")
  }

  @Test func `An enumeration names its words`() {
    #expect(
      message(Run.self, "model: {layers: [{cell: lstmm, hidden: 3}]}")
        == "a.yaml:1:25: model.layers.0.cell is one of elman, lstm, found \"lstmm\";"
        + " did you mean \"lstm\"?")
  }

  private enum Closed: String, Decodable { case a }

  @Test func `An enumeration that cannot list its words echoes the bad one`() {
    #expect(
      message([String: Closed].self, "k: b")
        == "a.yaml:1:4: \"b\" is not a possible value of k; choose another")
  }

  @Test func `Lists, nested lists, optionals and single values decode`() throws {
    #expect(
      try decode([String: [[Int]]].self, "a: [[1], [], [2, 3]]") == ["a": [[1], [], [2, 3]]])
    #expect(try decode([String: [Int?]].self, "a: [1, null, 3]") == ["a": [1, nil, 3]])
    #expect(
      message([String: [Int]].self, "a: [1, null]")
        == "a.yaml:1:8: expected an integer for a.1, found nothing")
  }

  private struct Checked: Decodable {
    enum CodingKeys: CodingKey { case keep }
    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      guard try container.decode(Int.self, forKey: .keep) >= 2 else {
        throw DecodingError.dataCorruptedError(
          forKey: .keep, in: container, debugDescription: "keep must be at least 2")
      }
    }
  }

  @Test func `A value that options refuse is reported where it stands, in their words`() {
    #expect(
      message([String: [Checked]].self, "a:\n  - keep: 2\n  - keep: 1")
        == "a.yaml:3:11: keep must be at least 2")
  }

  private struct Witness: Decodable {
    static let key = CodingUserInfoKey(rawValue: "word")
    var word: String
    init(from decoder: any Decoder) throws {
      word = Witness.key.flatMap { decoder.userInfo[$0] as? String } ?? ""
    }
  }

  @Test func `What the caller adds reaches every decoder`() throws {
    let key = try #require(Witness.key)
    let configuration = try Configuration(yaml: "a: {}", file: "a.yaml")
    let decoded = try configuration.decode([String: Witness].self, userInfo: [key: "x"])
    #expect(decoded["a"]?.word == "x")
  }
}
