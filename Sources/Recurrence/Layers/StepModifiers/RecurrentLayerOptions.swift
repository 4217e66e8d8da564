/// The options of a recurrent layer besides those of its cell.
public struct RecurrentLayerOptions: Hashable, Sendable {
  /// The states before a stream's first step.
  public var initialState: InitialState
  /// A second recurrence through an output of the layer's own.
  public var feedback: FeedbackOptions?
  /// True if each step is fed the target of the step before: teacher forcing.
  public var feedsTargets: Bool
  /// The probability that a unit of a state keeps its old value.
  public var zoneout: Double
  /// True if training samples the units that keep their value; false to mix old and new values with
  /// the probability, as evaluation does. Not a key of a configuration.
  var samplesZoneout = true

  public init(
    initialState: InitialState = .zero, feedback: FeedbackOptions? = nil,
    feedsTargets: Bool = false, zoneout: Double = 0
  ) {
    self.initialState = initialState
    self.feedback = feedback
    self.feedsTargets = feedsTargets
    self.zoneout = zoneout
  }

  /// True if nothing of them has to happen between two steps.
  var surroundNoStep: Bool { feedback == nil && !feedsTargets && zoneout == 0 }
}

// The options are keys of a layer, beside those of its cell:
//
//     {cell: lstm, hidden: 200, initial_state: learnt, feedback: output, feedback_width: 50}
extension RecurrentLayerOptions: Encodable {
  private enum CodingKeys: String, CodingKey {
    case feedback, zoneout
    case initialState = "initial_state"
    case feedbackWidth = "feedback_width"
    case feedbackNonlinearity = "feedback_nonlinearity"
  }

  private enum Feedback: String, Codable { case none, output, target }

  /// - Parameter cell: The options of the cell, whose output width is also the width of an output
  ///   that is fed back.
  init(from decoder: any Decoder, around cell: any CellOptions) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    initialState = try keys.decodeIfPresent(InitialState.self, forKey: .initialState) ?? .zero
    zoneout = try keys.dropoutRate(.zoneout) ?? 0
    feedback = nil
    let kind = try keys.decodeIfPresent(Feedback.self, forKey: .feedback)
    feedsTargets = kind == .target
    let width = try keys.decodeIfPresent(Int.self, forKey: .feedbackWidth)
    let nonlinearity =
      try keys.decodeIfPresent(Nonlinearity.self, forKey: .feedbackNonlinearity)
    if kind == .output {
      feedback = FeedbackOptions(
        width: try width.map { try keys.checkedWidth($0, .feedbackWidth) } ?? cell.output,
        nonlinearity: nonlinearity ?? .tanh)
    } else if width != nil || nonlinearity != nil {
      let key = width != nil ? CodingKeys.feedbackWidth : .feedbackNonlinearity
      throw DecodingError.dataCorruptedError(
        forKey: key, in: keys, debugDescription: "\(key.stringValue) needs feedback: output")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(initialState, forKey: .initialState)
    try keys.encode(
      feedback != nil ? Feedback.output : feedsTargets ? .target : .none, forKey: .feedback)
    try keys.encode(zoneout, forKey: .zoneout)
    try keys.encodeIfPresent(feedback?.width, forKey: .feedbackWidth)
    try keys.encodeIfPresent(feedback?.nonlinearity, forKey: .feedbackNonlinearity)
  }
}
