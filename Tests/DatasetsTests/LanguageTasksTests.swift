import Datasets
internal import Foundation
import Sequences
import Testing

@Suite struct `Reber's grammar` {
  func strings(_ task: any GeneratedTask, _ count: Int) -> [[Int32]] {
    examples(generated(task, count: count)).map { [$0.inputs[0]] + $0.targets }
  }

  func accepts(_ grammar: ReberGrammar, _ string: String) throws -> Bool {
    grammar.accepts(try #require(ReberGrammar.numbers(string)))
  }

  @Test func `Legal strings are legal and illegal ones are not`() throws {
    for string in ["BTSSXXTVVE", "BPVVE", "BTXXVPSE"] {
      #expect(try accepts(.plain, string))
      #expect(try accepts(.embedded, "BT\(string)TE") && accepts(.embedded, "BP\(string)PE"))
      #expect(try !accepts(.embedded, "BT\(string)PE") && !accepts(.embedded, string))
      #expect(try !accepts(.plain, String(string.dropLast())) && !accepts(.plain, string + "E"))
    }
    for string in ["BTSSPXSE", "BPTVVB", "BTXXVVSE"] { #expect(try !accepts(.plain, string)) }
    #expect(ReberGrammar.numbers("BTA") == nil)
  }

  @Test func `The successors of a prefix are those of the grammar`() throws {
    func successors(_ grammar: ReberGrammar, _ prefix: String) throws -> String? {
      grammar.successors(of: try #require(ReberGrammar.numbers(prefix)))
        .map { $0.map { ReberGrammar.symbols[Int($0)] }.sorted().joined() }
    }
    for (prefix, expected) in [
      ("", "B"), ("B", "PT"), ("BT", "SX"), ("BP", "TV"), ("BTX", "SX"), ("BPV", "PV"),
      ("BPVV", "E"), ("BPVVE", ""), ("BPVPX", "TV"),
    ] { #expect(try successors(.plain, prefix) == expected) }
    #expect(try successors(.plain, "BS") == nil)
    #expect(try successors(.embedded, "BTBPVVE") == "T")
    #expect(try successors(.embedded, "BPBPVVE") == "P")
    #expect(try successors(.embedded, "BPBPVVEP") == "E")
  }

  @Test func `Drawn strings are legal, of the right mean length and entropy`() throws {
    for (task, grammar, mean, ideal) in [
      (Reber() as any GeneratedTask, ReberGrammar.plain, 8.0, 6 * log(2.0) / 7),
      (EmbeddedReber(), .embedded, 12, 7 * log(2.0) / 11),
    ] {
      let strings = strings(task, 40_000)
      #expect(strings.allSatisfy { grammar.accepts($0) })
      let length = Double(strings.map(\.count).reduce(0, +)) / 40_000
      // The deviation of a length is about 3.2.
      #expect(abs(length - mean) < 0.08)
      #expect(abs(grammar.ideal(strings) - ideal) < 0.004 * ideal)
      let choices = strings.reduce(0) { sum, string in
        sum + string.indices.count { grammar.successors(of: string[..<$0])!.count == 2 }
      }
      #expect(abs(Double(choices) / 40_000 - (mean == 8 ? 6 : 7)) < 0.08)
    }
    #expect(abs(6 * log(2.0) / 7 - 0.5941262) < 1e-7)
    // Five choices of two among the four symbols after B of one string: T|P, T|V, P|V, E.
    let one = try #require(ReberGrammar.numbers("BPVVE"))
    #expect(abs(ReberGrammar.plain.ideal([one]) - 3 * log(2.0) / 4) < 1e-12)
  }
}

@Suite struct `Tasks of languages` {
  /// Membership as the definitions of the languages say it.
  func belongs(_ string: [Int32], _ grammar: Int) -> Bool {
    let text = string.map(String.init).joined()
    let (zeros, ones) = (string.count { $0 == 0 }, string.count { $0 == 1 })
    func matches(_ pattern: String) -> Bool {
      text.range(of: "^(\(pattern))$", options: .regularExpression) != nil
    }
    switch grammar {
    case 1: return matches("1*")
    case 2: return matches("(10)*")
    // After a run of 1 of odd length no run of 0 of odd length.
    case 3:
      return text.range(
        of: "(^|0)1(11)*0(00)*(1|$)", options: .regularExpression) == nil
    case 4: return !text.contains("000")
    case 5: return zeros % 2 == 0 && ones % 2 == 0
    case 6: return (zeros - ones) % 3 == 0
    default: return matches("0*1*0*1*")
    }
  }

  @Test(arguments: 1...7)
  func `Tomita's languages are what their definitions say`(_ grammar: Int) {
    let task = Tomita(grammar: grammar)
    for length in 0...11 {
      for code in 0..<1 << length {
        let string = (0..<length).map { Int32(code >> $0 & 1) }
        #expect(task.accepts(string) == belongs(string, grammar))
      }
    }
  }

  @Test(arguments: 1...7)
  func `Strings are labelled and both answers as frequent`(_ grammar: Int) {
    for part in [TaskPart.train, .test] {
      let task = Tomita(grammar: grammar, trainLength: 2...9, testLength: 20...31)
      let found = examples(generated(task, part, count: 1_000))
      for example in found {
        #expect(belongs(example.inputs, grammar) == (example.targets.last == 1))
      }
      #expect((420...580).contains(found.count { $0.targets.last == 1 }))
      let lengths = Set(found.map(\.steps))
      #expect(lengths == Set(part == .train ? 2...9 : 20...31))
    }
  }

  @Test func `Where no string has an answer, the other one is given`() {
    // No string of odd length is 1 0 1 0 ….
    let task = Tomita(grammar: 2, trainLength: 5...5, testLength: 5...5)
    #expect(examples(generated(task)).allSatisfy { $0.targets.last == 0 })
  }

  @Test func `Parity counts ones, at other lengths in the test`() {
    for part in [TaskPart.train, .test] {
      let found = examples(generated(Parity(), part, count: 1_000))
      for example in found {
        #expect(example.targets.last! == example.inputs.reduce(0, +) % 2)
      }
      #expect(Set(found.map(\.steps)) == Set(part == .train ? 1...10 : 40...60))
      #expect((420...580).contains(found.count { $0.targets.last == 1 }))
    }
  }

  @Test func `A text tells the class that it was written in`() {
    let task = ConditionedText()
    let found = examples(generated(task, count: 500))
    let right = found.count { example in
      #expect(example.inputs.dropFirst() == example.targets.dropLast())
      #expect(example.inputs.first == 8 && example.targets.last == 9)
      return example.condition[task.likeliestClass(of: example.inputs)] == 1
    }
    #expect(right >= 495)
    #expect(Set(found.map(\.condition)).count == 4)
  }

  @Test func `Frames without noise are alike in a class and unlike between classes`() {
    let found = examples(
      generated(LabelledFrames(classes: 3, width: 4, length: 6...6, noise: 0), count: 60))
    for (a, b) in zip(found, found.dropFirst()) {
      // The first frame does not depend on the speed.
      #expect((a.frames.prefix(4) == b.frames.prefix(4)) == (a.targets.last == b.targets.last))
    }
    #expect(Set(found.compactMap(\.targets.last)) == [0, 1, 2])
  }
}
