import Datasets
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite struct `Generated text` {
  @Test func `the same seed gives the same symbols, another seed others`() {
    let text = GeneratedText(count: 400, vocabulary: 90, seed: 3)
    #expect(text.symbols == GeneratedText(count: 400, vocabulary: 90, seed: 3).symbols)
    #expect(text.symbols != GeneratedText(count: 400, vocabulary: 90, seed: 4).symbols)
    #expect(text.symbols.allSatisfy { (0..<90).contains($0) })
    // A longer text begins like a shorter one, and no version or machine may change it.
    let longer = GeneratedText(count: 500, vocabulary: 90, seed: 3)
    #expect(Array(longer.symbols[..<400]) == text.symbols)
    let pinned = GeneratedText(count: 8, vocabulary: 10_000, seed: 1)
    #expect(pinned.symbols == [3845, 1453, 2592, 5284, 3036, 4572, 9939, 7403])
  }

  @Test func `windows of 700 words have as many distinct ones as WikiText-2's`() {
    let text = GeneratedText(count: 70_000, vocabulary: 10_000, seed: 1).symbols
    let counts = stride(from: 0, to: 70_000, by: 700).map { Set(text[$0..<$0 + 700]).count }
    let mean = Double(counts.reduce(0, +)) / 100
    // 383 in expectation; the mean of a hundred windows varies by 1.
    #expect(abs(mean - 383) < 8)
  }

  @Test func `a symbol of rank r has the inverse of r over the sum of all as its probability`() {
    let count = 200_000
    let text = GeneratedText(count: count, vocabulary: 250, seed: 5).symbols
    var found = [Int32: Int]()
    for symbol in text { found[symbol, default: 0] += 1 }
    let ranked = found.sorted { $0.value > $1.value }
    let total = (1...250).reduce(0.0) { $0 + 1 / Double($1) }
    for rank in [1, 2, 3, 10] {
      let expected = Double(count) / Double(rank) / total
      #expect(abs(Double(ranked[rank - 1].value) - expected) < 6 * expected.squareRoot())
    }
    // Frequent symbols are anywhere: three of them in order would be one chance in millions.
    #expect(ranked[..<3].map(\.key) != [0, 1, 2])
  }

  @Test func `is a corpus with the same symbols, and leaves no file behind`() throws {
    let folder = TemporaryFolder()
    let text = GeneratedText(count: 1201, vocabulary: 300, seed: 2)
    let dataset = try text.dataset(in: folder.path)
    #expect(dataset.vocabulary.count == 300)
    #expect(dataset.train.count == 1201)
    #expect((0..<1201).allSatisfy { dataset.train.corpus![$0] == text.symbols[$0] })
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    let path = folder.path + "/text"
    try text.write(to: path)
    let bytes = try Data(contentsOf: URL(filePath: path))
    #expect(bytes.count == 4 * 1201)
    let last = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int32($1) }
    #expect(last == text.symbols[1200])
  }
}
