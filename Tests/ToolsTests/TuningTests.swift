import Configuration
import Foundation
import Reporting
import TestSupport
import Testing

import Tools

@Suite struct `Searches for settings` {
  private func values(_ text: String, _ shares: [Double]) throws -> [String] {
    let setting = try TunedSetting(text)
    return shares.map { setting.value(at: $0) }
  }

  @Test func `A range or a choice gives the value at each share of it`() throws {
    #expect(try values("a.b=1e-4..1e-2:log", [0, 0.25, 0.5]) == ["0.0001", "0.0003162", "0.001"])
    #expect(try values("a=0.1..0.5", [0, 0.5]) == ["0.1", "0.3"])
    // Each whole number has the same part.
    #expect(
      try values("a=2..4", [0, 0.33, 0.34, 0.66, 0.67, 0.999]) == ["2", "2", "3", "3", "4", "4"])
    #expect(try values("a=1..127:log", [0, 0.5, 0.9999]) == ["1", "11", "127"])
    #expect(try values("a=x,y", [0, 0.49, 0.5, 0.99]) == ["x", "x", "y", "y"])
    #expect(
      try values("a=0.999..0.99999", [0, 0.5, 0.9999]) == ["0.999", "0.999495", "0.9999899"])
    #expect(try values("a=../x.txt,../y.txt", [0.1, 0.9]) == ["../x.txt", "../y.txt"])
    #expect(try values("a=\"p,q\",r", [0.1, 0.9]) == ["\"p,q\"", "r"])
    #expect(
      try values("model.layers=[{cell: gru, hidden: 4}],[{cell: lstm, hidden: 3}]", [0.1, 0.9])
        == ["[{cell: gru, hidden: 4}]", "[{cell: lstm, hidden: 3}]"])
  }

  @Test(arguments: [
    ("=1..2", "it has no key"), ("a", "it has no key"), ("a=1", "it has a single value"),
    ("a=x,,y", "it has a single value"), ("a=x,x", "it has a value twice"),
    ("a=2..1", "its first end is not below"), ("a=1..1", "its first end is not below"),
    ("a=x..2", "its ends are no numbers"), ("a=1..inf", "its ends are no numbers"),
    ("a=0..1:log", "begins above 0"), ("a=-1..1:log", "begins above 0"),
  ])
  func `What is no range is refused with the reason`(text: String, reason: String) {
    let error = #expect(throws: UsageError.self) { try TunedSetting(text) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    #expect(error?.description.contains("--over \(text)") == true)
  }

  @Test func `Trials are spread evenly, and more of them change none before`() throws {
    for count in [1, 2, 3] {
      let over = (0..<count).map { "k\($0)=0.0..1.0" }
      let few = try Search(over: over, trials: 10, seed: 7, halvings: [])
      let many = try Search(over: over, trials: 64, seed: 7, halvings: [])
      let other = try Search(over: over, trials: 10, seed: 8, halvings: [])
      let all = many.assignments
      #expect(few.assignments == Array(all[..<10]))
      #expect(few.assignments[0] != other.assignments[0])
      // Of 64 values, each eighth of the range has at least five: drawn independently, it would be rare.
      for d in 0..<count {
        let values = (0..<64).map { n -> Double in
          Double(all[n][d].split(separator: "=")[1])!
        }
        for part in 0..<8 {
          let range = Double(part) / 8..<Double(part + 1) / 8
          #expect(values.count { range.contains($0) } >= 5, "setting \(d) of \(count), \(range)")
        }
      }
    }
  }

  @Test func `No trial has the values of another`() throws {
    let all = try Search(over: ["a=x,y", "b=1..3"], trials: 6, seed: 3, halvings: []).assignments
    #expect(Set(all).count == 6)
  }

  @Test func `A search that says nothing or contradicts itself is refused`() {
    func refusal(_ over: [String], trials: Int = 4, _ halvings: [Int] = []) -> String {
      do {
        _ = try Search(over: over, trials: trials, seed: 1, halvings: halvings)
        return "accepted"
      } catch { return "\(error)" }
    }
    #expect(refusal([]).contains("nothing is varied"))
    #expect(refusal(["a=1..2", "a=3..4"]).contains("--over a is given twice"))
    #expect(refusal(["a=1.0..2"], [4, 4]).contains("steps from 1 on that rise"))
    #expect(refusal(["a=1.0..2"], [0, 4]).contains("steps from 1 on that rise"))
    #expect(refusal(["a=1..2"], trials: 1, [4]).contains("no effect on a single trial"))
    #expect(refusal(["a=1..2"]).contains("only 2 combinations"))
    #expect(refusal(["a=1.0..2"], [4, 9]) == "accepted")
  }

  @Test func `A folder keeps its search, takes more trials, and refuses another`() throws {
    try withTemporaryFolder { folder in
      func keep(
        _ over: String, trials: Int = 4, halvings: [Int] = [], of text: String = "name: a",
        isBegun: Bool = true
      ) throws {
        try Search(over: [over], trials: trials, seed: 1, halvings: halvings).keep(
          in: folder, configuration: text, isBegun: isBegun)
      }
      try keep("a=1..20", isBegun: false)
      try keep("a=1..2000", isBegun: false)
      try keep("a=1..2000")
      try keep("a=1..2000", trials: 9)
      #expect(throws: UsageError.self) { try keep("a=1..3000") }
      #expect(throws: UsageError.self) { try keep("a=1..2000", halvings: [3]) }
      #expect(throws: UsageError.self) { try keep("a=1..2000", of: "name: b") }
      try Data("{".utf8).write(to: URL(filePath: folder + "/search.json"))
      #expect(throws: UsageError.self) { try keep("a=1..2000") }
    }
  }
}

@Suite struct `Tests of learning rates` {
  /// A loss that falls fastest at one rate, is lowest at another, and rises from there, with noise.
  private func records(
    _ steps: Int = 300, from: Double = 1e-6, to: Double = 1, _ loss: (Double, Int) -> Double
  ) throws -> [MetricsRecord] {
    try (0..<steps).map { step in
      let rate = from * pow(to / from, Double(step) / Double(steps))
      let value = loss(rate, step)
      let text = value.isFinite ? "\(value)" : "\"nan\""
      let decoder = JSONDecoder()
      decoder.nonConformingFloatDecodingStrategy = .convertFromString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      return try decoder.decode(
        MetricsRecord.self,
        from: Data(#"{"step": \#(step + 1), "loss": \#(text), "learning_rate": \#(rate)}"#.utf8))
    }
  }

  @Test func `The steepest fall and the lowest loss are found, and what diverges is left out`()
    throws
  {
    let found = try #require(
      RateTest(
        records { rate, step in
          let noise = 0.05 * sin(Double(step) * 1.7)
          if rate > 0.3 { return .nan }
          return 4 - 2 / (1 + exp(-4 * (log10(rate) + 3))) + (rate > 0.05 ? 20 * rate : 0) + noise
        }))
    // 300 steps are six decades: a factor of 2 is 15 of them.
    #expect(found.steepest > 5e-4 && found.steepest < 2e-3, "\(found.steepest)")
    #expect(found.lowest > 1e-2 && found.lowest < 0.1, "\(found.lowest)")
    #expect(found.points.last!.rate <= 0.3)
    #expect(found.words.contains("training.schedule.learning_rate="))
    #expect(found.svg.contains("<polyline"))
  }

  @Test func `A loss that never falls, or too few steps, say nothing`() throws {
    #expect(RateTest(try records { _, step in 2 + Double(step) }) == nil)
    #expect(RateTest(try records(15) { _, step in 4 - Double(step) * 0.1 }) == nil)
    #expect(RateTest(try records { _, _ in .nan }) == nil)
    #expect(RateTest([]) == nil)
  }
}
