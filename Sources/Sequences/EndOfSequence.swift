/// The way in which a model predicts the end of a sequence (Goodfellow, Bengio & Courville 2016,
/// section 10.2.3).
public enum EndOfSequence: Hashable, Sendable {
  /// An end-of-sequence symbol among the other symbols. Outputs that are not symbols then have no
  /// end.
  case symbol
  /// A halting probability before each output.
  case halt
  /// A length prediction before the first output. `longest` is the greatest length to predict; nil for
  /// the length of the longest training sequence.
  case length(input: LengthInput = .remaining, longest: Int? = nil)

  /// True if the length is predicted.
  public var isLength: Bool { if case .length = self { true } else { false } }

  /// The name that a configuration writes.
  public var name: String {
    switch self {
    case .symbol: "symbol"
    case .halt: "halt"
    case .length: "length"
    }
  }
}

/// The length input of the first recurrent layer, for models with length prediction of τ outputs.
public enum LengthInput: String, Codable, CaseIterable, Sendable {
  /// The number of remaining outputs at each step, τ − t.
  case remaining
  /// τ at every step.
  case total
  case none
}
