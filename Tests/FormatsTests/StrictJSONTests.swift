import Formats
import Testing

@Suite struct `Strict JSON` {
  @Test func `numbers that are not finite are read where Python's are asked for, and only there`()
    throws
  {
    let text = #"{"a": [NaN, Infinity, -Infinity, -1]}"#
    #expect(throws: JSONProblem.self) { try JSONValue(strictly: text) }
    let value = try JSONValue(strictly: text, withNonfinite: true)
    guard case .array(let numbers)? = value["a"], case .number(let first)? = numbers.first else {
      Issue.record("\(value)")
      return
    }
    #expect(first.isNaN)
    #expect(numbers.dropFirst() == [.number(.infinity), .number(-.infinity), .integer(-1)])
    for text in ["Nan", "nan", "Inf", "-NaN", "--Infinity", "Infinityx", "[I]", "N"] {
      #expect(throws: JSONProblem.self, "\(text)") {
        try JSONValue(strictly: text, withNonfinite: true)
      }
    }
  }
}
