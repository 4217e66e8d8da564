extension TrainingOptions {
  /// The length of training.
  public enum Length: Equatable, Sendable {
    /// The number of passes over the training data, or a part of one.
    case epochs(Double)
    /// The number of weight updates.
    case steps(Int)
    /// The number of targets; the last step ends at or after it.
    case tokens(Int)
  }
}

extension TrainingOptions.Length {
  private typealias Keys = KeyedDecodingContainer<TrainingOptions.CodingKeys>
  private static let keys: [TrainingOptions.CodingKeys] = [.epochs, .steps, .tokens]
  /// The largest number of targets: the counters of a run are exact up to there.
  private static let mostTokens = 0x1p53

  /// Decodes the one of `epochs`, `steps` and `tokens` that is given; nil for none.
  init?(from container: KeyedDecodingContainer<TrainingOptions.CodingKeys>) throws {
    let given = try Self.given(in: container)
    guard let key = given.first else { return nil }
    try container.require(
      given.count == 1, given.last!,
      "training takes epochs, steps or tokens, not two of them; set one of them to null")
    switch key {
    case .epochs:
      let epochs = try container.decode(Double.self, forKey: key)
      try container.require(
        epochs > 0 && epochs <= Double(largestCount), key,
        "epochs must be above 0 and at most \(largestCount)")
      self = .epochs(epochs)
    case .steps: self = .steps(try container.decode(key, from: 1...largestCount)!)
    default:
      // As a number of floating point, so that it may be written as 2e9.
      let tokens = try container.decode(Double.self, forKey: key)
      try container.require(
        tokens >= 1 && tokens <= Self.mostTokens && tokens == tokens.rounded(), key,
        "tokens must be a whole number from 1 to \(Int(Self.mostTokens)), such as 2e9")
      self = .tokens(Int(tokens))
    }
  }

  /// Returns the key that is given, or `epochs`.
  static func key(
    in container: KeyedDecodingContainer<TrainingOptions.CodingKeys>
  ) throws -> TrainingOptions.CodingKeys {
    try given(in: container).first ?? .epochs
  }

  private static func given(in container: Keys) throws -> [TrainingOptions.CodingKeys] {
    try keys.filter { try container.contains($0) && !container.decodeNil(forKey: $0) }
  }
}

extension TrainingOptions {
  /// Returns the number of steps that the run takes if no step is left out.
  /// - Parameters:
  ///   - windows: The windows of an epoch.
  ///   - length: The steps of every stream in an epoch of a running text; nil for sequences.
  package func plannedSteps(windows: Int, length: Int?) -> Int {
    if case .steps(let steps) = self.length { return steps }
    guard let length, let epochs = epochs(length: length) else {
      guard case .epochs(let epochs) = self.length else { return .max }
      let steps = (epochs * Double(windows) * (1 - 1e-12)).rounded(.up)
      return steps < 0x1p62 ? max(Int(steps), 1) : .max
    }
    // The steps of every stream in the last epoch, of which only a part is read.
    let whole = Int(epochs.rounded(.down))
    let rest = Int(((epochs - Double(whole)) * Double(length) * (1 - 1e-12)).rounded(.up))
    if let ramp {
      return ramp.steps(
        epochs: whole, rest: rest, windows: windows, length: length, batchSize: batchSize,
        bptt: bptt)
    }
    let window = givenStride ?? bptt
    let (steps, overflows) = whole.multipliedReportingOverflow(by: windows)
    let (sum, isLarge) = steps.addingReportingOverflow((rest + window - 1) / window)
    return overflows || isLarge ? .max : max(sum, 1)
  }

  /// Returns the length of the run in epochs; nil for a number of steps.
  /// - Parameter length: The steps of every stream in an epoch of a running text; nil for sequences, for
  ///   which a number of tokens is refused.
  package func epochs(length: Int?) -> Double? {
    switch self.length {
    case .epochs(let epochs): epochs
    case .steps: nil
    case .tokens(let tokens):
      length.map { Double(tokens) / (Double($0) * Double(batchSize)) }
    }
  }
}
