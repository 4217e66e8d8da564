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

extension SequenceModelOptions {
  /// Returns why the option `end` does not fit some data, or nil if it fits.
  func incompatibility(withEndsOf interface: TaskSignature) -> String? {
    guard end != .symbol else { return nil }
    let what = "model.end: \(end.name)"
    if interface.isRunning {
      return "\(what) is for whole sequences, and this data is a running text; remove it, or set "
        + "data.format to lines"
    }
    if interface.asksOnce {
      return "\(what) is for sequences of outputs, and this data has one target per sequence; "
        + "remove it"
    }
    guard interface.ends != nil else {
      return
        "\(what) is for outputs that the model reads back until the sequence ends, such as lines, "
        + "pairs, piano rolls or the task conditioned; this data has no end to predict; remove it"
    }
    if case .length(let input, _) = end, input != .none, !layers.contains(where: \.isRecurrent) {
      return
        "model.length_input enters a layer with a cell, and model.layers has none; add one, or set "
        + "length_input to none"
    }
    return nil
  }
}
