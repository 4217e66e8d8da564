internal import ArgumentParser
internal import Recurrence

/// The options of sampling.
struct SamplingOptions: ParsableArguments {
  // A negative number is accepted as a value here, and refused later with a message of its own.
  @Option(
    parsing: .unconditional,
    help: "The divisor of the logits; 0 takes the likeliest symbol, or keys likelier than not.")
  var temperature = 1.0

  @Option(
    name: .customLong("top-k"), parsing: .unconditional,
    help: "Sample from the K likeliest symbols only.")
  var topK: Int?

  @Option(
    name: .customLong("top-p"), parsing: .unconditional,
    help: "Sample from the likeliest symbols that together have this probability.")
  var topP = 1.0

  @Option(
    name: .customLong("min-p"), parsing: .unconditional,
    help: "Sample from the symbols that have at least P of the likeliest symbol's probability.")
  var minP = 0.0

  /// True if all symbols are sampled with their own probabilities.
  var isPlain: Bool { temperature == 1 && choosesAll }
  /// True if every symbol can be sampled.
  var choosesAll: Bool { topK == nil && topP == 1 && minP == 0 }

  func validate() throws {
    guard temperature >= 0, temperature.isFinite else {
      throw ValidationError("--temperature must not be negative, and must be finite.")
    }
    guard topK ?? 1 >= 1 else { throw ValidationError("--top-k must be at least 1.") }
    guard topP > 0 && topP <= 1 else {
      throw ValidationError("--top-p must be above 0, at most 1.")
    }
    guard minP >= 0 && minP <= 1 else {
      throw ValidationError("--min-p must be at least 0, at most 1.")
    }
  }

  /// - Parameter excluded: Symbols that are never sampled.
  func sampling(excluding excluded: Set<Int32> = []) -> Sampling {
    Sampling(temperature: temperature, topK: topK, topP: topP, minP: minP, excluded: excluded)
  }
}
