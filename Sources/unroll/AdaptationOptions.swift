public import ArgumentParser
public import Inference

extension DynamicOptions.Rule: ExpressibleByArgument {}

/// The options of `unroll evaluate` by which a model adapts to the text that it is evaluated on.
struct AdaptationOptions: ParsableArguments {
  @Flag(
    help: """
      Dynamic evaluation: after each segment of the text, a step of gradient descent on it (Krause \
      2018).
      """)
  var dynamic = false

  @Option(
    help: """
      rms: gradients are divided by the root of their mean square in the training data; sgd: plain.
      """)
  var dynamicRule: DynamicOptions.Rule?

  @Option(help: "The learning rate; 0.002 unless given, 0.1 with sgd.")
  var dynamicRate: Double?

  @Option(
    help: "The decay towards the trained weights, λ; 0.02 unless given, 0.001 with sgd.")
  var dynamicDecay: Double?

  @Option(help: "The number added to the root of the mean square; 0.001 unless given.")
  var dynamicEpsilon: Double?

  @Option(help: "The symbols of a segment; 5 unless given.")
  var dynamicSegment: Int?

  @Option(help: "The windows of training data that measure the mean square; 500 unless given.")
  var dynamicStatistics: Int?

  @Flag(help: "Take the rate and the decay that are best on the run's validation data.")
  var dynamicSearch = false

  @Flag(
    help: """
      A cache of the text's last hidden states, which makes symbols that followed similar ones \
      likelier (Grave 2017).
      """)
  var cache = false

  @Option(help: "The steps that the cache keeps; 2000 unless given.")
  var cacheWindow: Int?

  @Option(help: "The factor of the products of hidden states; 0.3 unless given.")
  var cacheTheta: Double?

  @Option(help: "The weight of the cache beside the model, below 1; 0.1 unless given.")
  var cacheWeight: Double?

  @Flag(help: "Take the theta and the weight that are best on the run's validation data.")
  var cacheSearch = false

  /// True if the settings are to be found on the validation data.
  var searches: Bool { dynamicSearch || cacheSearch }

  func validate() throws {
    let ofDynamic = [
      ("rule", dynamicRule != nil), ("rate", dynamicRate != nil), ("decay", dynamicDecay != nil),
      ("epsilon", dynamicEpsilon != nil), ("segment", dynamicSegment != nil),
      ("statistics", dynamicStatistics != nil), ("search", dynamicSearch),
    ]
    let ofCache = [
      ("window", cacheWindow != nil), ("theta", cacheTheta != nil), ("weight", cacheWeight != nil),
      ("search", cacheSearch),
    ]
    for (flag, isThere, options) in [("dynamic", dynamic, ofDynamic), ("cache", cache, ofCache)] {
      if let idle = options.first(where: \.1), !isThere {
        throw ValidationError("--\(flag)-\(idle.0) needs --\(flag).")
      }
    }
    guard !(dynamic && cache) else { throw ValidationError("Give --dynamic or --cache, not both.") }
    if dynamicRule == .sgd, dynamicEpsilon != nil || dynamicStatistics != nil {
      throw ValidationError("--dynamic-epsilon and --dynamic-statistics are for the rule rms.")
    }
    if dynamicSearch, dynamicRate != nil || dynamicDecay != nil {
      throw ValidationError("--dynamic-search finds the rate and the decay; remove them.")
    }
    if cacheSearch, cacheTheta != nil || cacheWeight != nil {
      throw ValidationError("--cache-search finds theta and the weight; remove them.")
    }
    try check("--dynamic-rate", dynamicRate, "above 0") { $0 > 0 && $0.isFinite }
    try check("--dynamic-decay", dynamicDecay, "from 0 to 1") { (0...1).contains($0) }
    try check("--dynamic-epsilon", dynamicEpsilon, "above 0") { $0 > 0 && $0.isFinite }
    try check("--dynamic-segment", dynamicSegment, "from 1 to a million") { Self.counts ~= $0 }
    try check("--dynamic-statistics", dynamicStatistics, "from 1 to a million") {
      Self.counts ~= $0
    }
    try check("--cache-window", cacheWindow, "from 1 to a million") { Self.counts ~= $0 }
    try check("--cache-theta", cacheTheta, "0 or more") { $0 >= 0 && $0.isFinite }
    try check("--cache-weight", cacheWeight, "from 0 to below 1") { (0..<1).contains($0) }
  }

  private static let counts = 1...1_000_000

  private func check<Value>(
    _ name: String, _ value: Value?, _ range: String, _ isRight: (Value) -> Bool
  ) throws {
    if let value, !isRight(value) { throw ValidationError("\(name) must be \(range).") }
  }

  /// The adaptation; nil if none is asked for.
  var adaptation: Adaptation? {
    if dynamic {
      var options = DynamicOptions(dynamicRule ?? .rms, rate: dynamicRate, decay: dynamicDecay)
      options.epsilon = dynamicEpsilon ?? options.epsilon
      options.segment = dynamicSegment ?? options.segment
      options.statistics = dynamicStatistics ?? options.statistics
      return .dynamic(options)
    }
    guard cache else { return nil }
    var options = CacheOptions()
    options.window = cacheWindow ?? options.window
    options.theta = cacheTheta ?? options.theta
    options.weight = cacheWeight ?? options.weight
    return .cache(options)
  }
}
