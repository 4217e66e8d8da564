internal import Names
public import Recurrence

/// A rule with its options: `optimizer: {rule: adam, betas: [0.9, 0.999]}`.
public struct OptimizerConfiguration: Codable, Sendable, Equatable {
  /// The key of the rule in `optimizers`.
  public let rule: String
  public let options: any OptimizerOptions

  private enum CodingKeys: String, CodingKey { case rule }

  /// Makes the configuration of a registered rule, with its default options unless others are
  /// given.
  public init<Rule: Optimizer>(_ type: Rule.Type, _ options: Rule.Options = Rule.Options()) {
    guard let rule = optimizers.first(where: { $0.value == type })?.key else {
      preconditionFailure("\(type) is not in the table of optimizers")
    }
    self.rule = rule
    self.options = options
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    rule = try container.require(
      .rule, "one of \(optimizers.keys.sorted().joined(separator: ", "))"
    ) { _ in true }
    guard let type = optimizers[rule] else {
      throw container.unknownName(rule, of: "optimizer", among: optimizers.keys, forKey: .rule)
    }
    func decode<Rule: Optimizer>(_: Rule.Type) throws -> any OptimizerOptions {
      try Rule.Options(from: decoder)
    }
    options = try decode(type)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(rule, forKey: .rule)
    try options.encode(to: encoder)
  }

  /// Makes an optimizer for the parameters of `layout`, before its first update.
  public func makeOptimizer(for layout: ParameterLayout) -> any Optimizer {
    func make<Rule: Optimizer>(_: Rule.Type) -> any Optimizer {
      Rule(options as! Rule.Options, layout: layout)
    }
    return make(optimizers[rule]!)
  }

  /// True if the rule keeps moments from update to update.
  public var hasMoments: Bool { !makeOptimizer(for: ParameterLayout(Plan())).moments.isEmpty }

  /// False if an update needs whole matrices, so that ranks cannot each update a slice of the weights.
  public var updatesSlices: Bool { optimizers[rule]!.updatesSlices }

  /// True if the rule keeps an average of the weights, with which the model is evaluated.
  public var keepsAverage: Bool { optimizers[rule]!.keepsAverage }

  public static func == (a: Self, b: Self) -> Bool {
    func equal<Options: OptimizerOptions>(_ options: Options) -> Bool {
      options == b.options as? Options
    }
    return a.rule == b.rule && equal(a.options)
  }
}
