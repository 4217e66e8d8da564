/// How a model says where a sequence ends (Goodfellow, Bengio & Courville 2016, section 10.2.3).
public enum EndOfSequence: String, Codable, CaseIterable, Sendable {
  /// By a symbol like any other; sequences without one have no end of their own.
  case symbol
  /// By a Bernoulli output before each output.
  case halt
  /// By the number of outputs, predicted before the first of them.
  case length
}

/// What the recurrence is told of the number of outputs τ where that is predicted first.
public enum LengthInput: String, Codable, CaseIterable, Sendable {
  /// How many are to come at each step, τ − t.
  case remaining
  /// τ itself, at every step.
  case total
  case none
}

extension ModelOptions {
  /// Why no model of these options says where sequences of some data end, if there is a reason.
  func incompatibility(withEndsOf interface: TaskSignature) -> String? {
    guard end != .symbol else { return nil }
    let what = "model.end: \(end.rawValue)"
    if interface.isRunning {
      return "\(what) is for whole sequences, and this data is a running text; remove it, or set "
        + "data.format to lines"
    }
    if interface.isTree { return "\(what) is for sequences, and this data is trees; remove it" }
    if interface.asksOnce {
      return "\(what) is for sequences of outputs, and this data asks for one answer a sequence; "
        + "remove it"
    }
    guard interface.ends != nil else {
      return
        "\(what) is for outputs that are read again until an end, such as those of lines, pairs, piano "
        + "rolls or the task conditioned, and this data has no end to predict; remove it"
    }
    if end == .length, lengthInput != .none, !layers.contains(where: \.isRecurrent) {
      return
        "model.length_input enters a layer with a cell, and model.layers has none; add one, or set "
        + "length_input to none"
    }
    return nil
  }
}
