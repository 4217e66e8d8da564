/// The section `evaluation.sample`: texts that the model writes while it is trained.
public struct SampleOptions: Codable, Equatable, Sendable {
  /// The number of steps between samples, or the end of each epoch; nil for the times of evaluations.
  public var every: Interval?
  /// The text to continue, by a model without an encoder.
  public var prompt = ""
  /// The condition of the text, for a conditioned model: names of classes, then numbers.
  public var condition: [String] = []
  /// The sources to decode, by a model with an encoder.
  public var sources: [String] = []
  /// The most symbols of a text, without its prompt.
  public var length = 200
  /// The divisor of the logits; 0 takes the likeliest symbol.
  public var temperature = 1.0
  /// Sampling from the k likeliest symbols only; nil for all.
  public var topK: Int?
  /// Sampling from the likeliest symbols that together have at least this probability; 1 for all.
  public var topP = 1.0

  enum CodingKeys: String, CodingKey {
    case every, prompt, condition, sources, length, temperature
    case topK = "top_k"
    case topP = "top_p"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    every = try container.decodeIfPresent(Interval.self, forKey: .every)
    prompt = try container.decode(.prompt, default: prompt)
    condition = try container.decode(.condition, default: condition)
    sources = try container.decode(.sources, default: sources)
    length = try container.decode(.length, default: length, from: 1...Self.longest)
    temperature = try container.decode(.temperature, default: temperature)
    try container.require(
      temperature >= 0 && temperature.isFinite, .temperature,
      "temperature must be a number from 0 on")
    topK = try container.decode(.topK, from: 1...largestCount)
    topP = try container.decode(.topP, default: topP)
    try container.require(topP > 0 && topP <= 1, .topP, "top_p must be above 0, at most 1")
    if case .seconds? = every {
      throw DecodingError.dataCorruptedError(
        forKey: .every, in: container,
        debugDescription: "evaluation.sample.every is a number of steps or epoch, so that a resumed"
          + " run writes the same samples; write one of these")
    }
  }

  /// The most symbols of a sample, for which training waits.
  private static let longest = 100_000
}
