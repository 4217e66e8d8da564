internal import ArgumentParser
internal import Recurrence

/// How symbols are drawn.
struct SamplingOptions: ParsableArguments {
  // A negative number is a value too, and is refused in a sentence of its own.
  @Option(
    parsing: .unconditional,
    help: "Logits are divided by it; 0 takes the likeliest symbol, or keys likelier than not.")
  var temperature = 1.0

  @Option(
    name: .customLong("top-k"), parsing: .unconditional,
    help: "Draw from the K likeliest symbols only.")
  var topK: Int?

  @Option(
    name: .customLong("top-p"), parsing: .unconditional,
    help: "Draw from the likeliest symbols that together have this probability.")
  var topP = 1.0

  /// Whether all symbols are drawn with their own probabilities.
  var isPlain: Bool { temperature == 1 && choosesAll }
  /// Whether all symbols may be drawn.
  var choosesAll: Bool { topK == nil && topP == 1 }

  func validate() throws {
    guard temperature >= 0 else { throw ValidationError("--temperature must not be negative.") }
    guard topK ?? 1 >= 1 else { throw ValidationError("--top-k must be at least 1.") }
    guard topP > 0 && topP <= 1 else {
      throw ValidationError("--top-p must be above 0, at most 1.")
    }
  }

  /// - Parameter excluded: symbols that are never drawn.
  func sampling(excluding excluded: Set<Int32> = []) -> Sampling {
    Sampling(temperature: temperature, topK: topK, topP: topP, excluded: excluded)
  }
}
