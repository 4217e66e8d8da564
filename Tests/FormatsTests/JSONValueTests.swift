import Formats
import Foundation
import Testing

@Suite struct `JSON values` {
  private struct Holder: Codable, Equatable {
    struct Part: Codable, Equatable {
      var name: String
      var value: JSONValue
    }
    var parts: [Part]
    var named: [String: JSONValue]
    var whole: JSONValue
    var missing: JSONValue?
  }

  private static let samples: [JSONValue] = [
    .null, true, 0, -7, 1.5, "", "NaN", "a\"\\\u{1}é", .number(-0.0), .number(1e300),
    .number(.leastNonzeroMagnitude), .integer(.max), .integer(.min), .unsigned(.max), .array([]),
    .object([:]),
    .array([1, .array([.null, "x"]), .object(["0": 2.25, "1": false])]),
    .object(["a": .object(["b": .array([3, .number(-2.5)])]), "": 1]),
  ]

  @Test(arguments: samples)
  func `The parts of a whole are those that a decoder finds by trying`(value: JSONValue) throws {
    let holder = Holder(
      parts: [.init(name: "a", value: 1), .init(name: "b", value: value)],
      named: ["0": value, "x.y": "other"], whole: .object(["deep": .array([value])]), missing: nil)
    let text = try JSONValue.encoder().encode(holder)
    let found = try JSONValue.decode(Holder.self, from: text)
    #expect(found == holder)
    #expect(try JSONValue.decoder.decode(Holder.self, from: text) == found)
    #expect(try JSONValue(encoding: holder).decode(Holder.self) == holder)
    #expect(try JSONValue(encoding: value) == value)
    #expect(try value.decode(JSONValue.self) == value)
  }

  @Test func `The sign of zero is kept`() throws {
    guard case .number(let zero) = try JSONValue(encoding: -0.0) else {
      Issue.record("an integer")
      return
    }
    #expect(zero.sign == .minus)
  }

  @Test func `A key that stands twice is decoded as before, and wrong types are errors`() throws {
    let twice = Data(#"{"a": 1, "a": 1}"#.utf8)
    #expect(try JSONValue.decode(JSONValue.self, from: twice) == .object(["a": 1]))
    #expect(throws: DecodingError.self) { try JSONValue.decode(Int.self, from: twice) }
    #expect(throws: DecodingError.self) {
      try JSONValue.decode(JSONValue.self, from: Data("{".utf8))
    }
  }
}
