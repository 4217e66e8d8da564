import Configuration
import Formats
import Foundation
import Inference
import NumericalTestSupport
import Testing

@Suite struct `Metrics of predictions` {
  /// The numbers that `Oracles/metrics.py` made with sacrebleu and seqeval.
  struct Reference: Decodable {
    struct Translation: Decodable {
      let predicted, references: [[String]]
      let score: Double
    }
    struct Tagging: Decodable {
      let predicted, truth: [[String]]
      let precision, recall, f1: Double
    }
    let bleu: [Translation]
    let tags: [Tagging]

    static func load() throws -> Reference { oracle("metrics") }
  }

  @Test func `BLEU is that of sacrebleu`() throws {
    for (k, one) in try Reference.load().bleu.enumerated() {
      let found = Measures.bleu(one.predicted, references: one.references)
      #expect(abs(found.score - one.score) < 1e-9, "case \(k): \(found.score), not \(one.score)")
      let parts = one.predicted.indices.reduce(BLEU()) {
        $0 + Measures.bleu([one.predicted[$1]], references: [one.references[$1]])
      }
      #expect(parts == found, "case \(k): the sum of its sentences")
    }
  }

  @Test func `entities are counted as conlleval does`() throws {
    for (k, one) in try Reference.load().tags.enumerated() {
      let found = Measures.entities(one.predicted, truth: one.truth)
      #expect(abs(found.precision - one.precision) < 1e-12, "case \(k)")
      #expect(abs(found.recall - one.recall) < 1e-12, "case \(k)")
      #expect(abs(found.f1 - one.f1) < 1e-12, "case \(k)")
    }
    // Neighbours of one kind: IOB1 tells them apart by a B.
    let truth = [["I-PER", "I-PER", "B-PER", "O", "I-ORG", "I-LOC"]]
    let joined = [["I-PER", "I-PER", "I-PER", "O", "B-ORG", "B-LOC"]]
    #expect(
      Measures.entities(joined, truth: truth) == EntityScore(right: 2, found: 3, present: 4))
    #expect(Measures.entities([["O"]], truth: [["O"]]).f1 == 0)
    // All behind the first hyphen is the kind.
    let kinds = [["B-A-1", "I-A-1", "I-A-2"]]
    #expect(
      Measures.entities([["B-A-1", "I-A-1", "I-A-1"]], truth: kinds)
        == EntityScore(right: 0, found: 1, present: 2))
  }

  @Test func `edits are counted`() {
    func rate(_ a: String, _ b: String) -> Ratio {
      Measures.symbolErrorRate([Array(a)], truth: [Array(b)])
    }
    #expect(rate("kitten", "sitting") == Ratio(part: 3, whole: 7))
    #expect(rate("", "abc") == Ratio(part: 3, whole: 3))
    #expect(rate("abc", "") == Ratio(part: 3, whole: 0))
    #expect(rate("abcdef", "f") == Ratio(part: 5, whole: 1))
    #expect(rate("ab", "ba") == Ratio(part: 2, whole: 2))
    #expect(rate("intention", "execution") == Ratio(part: 5, whole: 9))
    let two = Measures.symbolErrorRate([[1, 2], [3]], truth: [[1, 2], [4, 3]])
    #expect(two == Ratio(part: 1, whole: 4) && two.value == 0.25)
  }

  @Test func `what is right is counted`() {
    #expect(Measures.accuracy([1, 2, 3], truth: [1, 3, 3]) == Ratio(part: 2, whole: 3))
    #expect(
      Measures.exactMatch([[1, 2], [3], []], truth: [[1, 2], [3, 4], []])
        == Ratio(part: 2, whole: 3))
    #expect(Measures.accuracy([Int](), truth: []).value == 0)
  }

  @Test func `errors are measured by the truth's deviations`() {
    let truth: [Float] = [1_000_001, 1_000_002, 1_000_003, 1_000_006]
    let predicted: [Float] = [1_000_001, 1_000_003, 1_000_003, 1_000_004]
    let all = Measures.nrmse(predicted, truth: truth)
    // 5 / (4 + 1 + 0 + 9)
    #expect(abs(all.value - (5.0 / 14).squareRoot()) < 1e-12)
    #expect(Measures.nrmse([3, 3], truth: [2, 4]).value == 1)
    let parts =
      Measures.nrmse([predicted[0]], truth: [truth[0]])
      + Measures.nrmse(Array(predicted[1...]), truth: Array(truth[1...]))
    #expect(abs(parts.value - all.value) < 1e-9)
    // Parts of parts: the mean of a sum is that of all its numbers.
    let one = truth.indices.map { Measures.nrmse([predicted[$0]], truth: [truth[$0]]) }
    #expect(abs((one[0] + one[1] + one[2] + one[3]).value - all.value) < 1e-9)
  }
}
