internal import Foundation

/// The counts of corpus BLEU (Papineni 2002):
///
///     BLEU = 100 · min(1, e^(1 − r/h)) · (p₁ p₂ p₃ p₄)^¼
///
/// pₙ is the fraction of n-grams that occur in the reference too, each counted at most as often as
/// there. h and r are the numbers of words in hypotheses and references. The k-th pₙ without a
/// match is 1/(2ᵏ · n-grams).
public struct BLEU: Equatable, Sendable {
  /// The longest n-grams.
  static let order = 4

  /// The numbers of matching and of all n-grams, n from 1 to 4.
  public var matches = [Int](repeating: 0, count: order)
  public var runs = [Int](repeating: 0, count: order)
  /// h and r
  public var words = 0
  public var referenceWords = 0

  public init() {}

  public static func + (a: BLEU, b: BLEU) -> BLEU {
    var sum = a
    for n in 0..<order {
      sum.matches[n] += b.matches[n]
      sum.runs[n] += b.runs[n]
    }
    sum.words += b.words
    sum.referenceWords += b.referenceWords
    return sum
  }

  /// BLEU, from 0 to 100.
  public var score: Double {
    guard matches.contains(where: { $0 > 0 }), !runs.contains(0) else { return 0 }
    var logarithms = 0.0
    var smoothing = 1.0
    for n in 0..<Self.order {
      if matches[n] == 0 {
        smoothing *= 2
        logarithms += log(100 / (smoothing * Double(runs[n])))
      } else {
        logarithms += log(100 * Double(matches[n]) / Double(runs[n]))
      }
    }
    let brevity =
      words < referenceWords ? exp(1 - Double(referenceWords) / Double(words)) : 1
    return brevity * exp(logarithms / Double(Self.order))
  }
}

extension Measures {
  /// Returns BLEU of translations with one reference each, over given words, as `sacrebleu
  /// --tokenize none --force` computes it (Post 2018).
  public static func bleu<Word: Hashable>(_ predicted: [[Word]], references: [[Word]]) -> BLEU {
    precondition(
      predicted.count == references.count,
      "\(predicted.count) translations for \(references.count) references")
    return zip(predicted, references).reduce(BLEU()) { $0 + bleu($1.0, reference: $1.1) }
  }

  private static func bleu<Word: Hashable>(_ predicted: [Word], reference: [Word]) -> BLEU {
    var result = BLEU()
    result.words = predicted.count
    result.referenceWords = reference.count
    for n in 1...BLEU.order where predicted.count >= n {
      var left = runs(of: n, in: reference).reduce(into: [:]) { $0[$1, default: 0] += 1 }
      for run in runs(of: n, in: predicted) {
        result.runs[n - 1] += 1
        guard let count = left[run], count > 0 else { continue }
        left[run] = count - 1
        result.matches[n - 1] += 1
      }
    }
    return result
  }

  private static func runs<Word>(of n: Int, in words: [Word]) -> [ArraySlice<Word>] {
    words.count < n ? [] : (0...words.count - n).map { words[$0..<$0 + n] }
  }
}
