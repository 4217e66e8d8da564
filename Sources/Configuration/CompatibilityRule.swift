internal import Recurrence
public import Sequences

/// A rule that several settings of a run keep together, often in different sections.
///
/// `compatibilityRules` is the list of all of them. The documentation prints it, and a test has a
/// configuration that each of them refuses.
public struct CompatibilityRule: Sendable {
  /// The time at which a rule is checked.
  public enum Stage: Sendable {
    /// While a configuration or a checkpoint is decoded.
    case decoding
    /// Before a run begins. The rule refuses a setting that would have no effect, because a user who
    /// gives a setting expects one. The options of a checkpoint are not checked: a trained model can
    /// be used whatever is refused today.
    case start
    /// When the data is open.
    case data
  }

  /// The keys in the form that `--set` takes, with `*` for the index of a layer.
  public let keys: [String]
  /// The rule in one sentence of Markdown.
  public let statement: String
  public let stage: Stage
  let check: @Sendable (_ options: RunOptions, _ data: TaskSignature?) -> [RuleViolation]

  /// Returns the settings that break the rule.
  /// - Parameters:
  ///   - options: The options of the run to check.
  ///   - data: The signature of the data, for rules at the stage `data`.
  public func violations(
    _ options: RunOptions, data: TaskSignature? = nil
  ) -> [RuleViolation] {
    check(options, data)
  }
}

/// A setting that breaks a rule.
public struct RuleViolation: Equatable, Sendable {
  /// The key in the form that `--set` takes.
  public let key: String
  /// The problem and what to do.
  public let sentence: String
}

extension RunOptions {
  /// Returns the settings that break the rules of a stage, in the order of the rules.
  /// - Parameters:
  ///   - stage: The moment of the check: rules of other stages are left out.
  ///   - data: The signature of the data, for the stage `data`.
  public func violations(
    at stage: CompatibilityRule.Stage, data: TaskSignature? = nil
  ) -> [RuleViolation] {
    compatibilityRules.filter { $0.stage == stage }.flatMap { $0.violations(self, data: data) }
  }
}

extension CompatibilityRule {
  /// The rules as a table of Markdown. `docs/configuration.md` holds it, and a test compares them.
  package static var table: String {
    let rows = compatibilityRules.map { rule in
      let time =
        switch rule.stage {
        case .decoding: "at once"
        case .start: "before the run"
        case .data: "with the data"
        }
      let keys = rule.keys.map { "`\($0)`" }.joined(separator: ", ")
      return "| \(time) | \(rule.statement) | \(keys) |"
    }
    return (["| checked | rule | keys |", "|---|---|---|"] + rows).joined(separator: "\n")
  }
}

// Ways to write a rule.

extension CompatibilityRule {
  /// A rule that is checked while options are decoded; the message is about the section `key`.
  static func decoding(
    _ keys: [String], at key: String, _ statement: String, refusal: String,
    unless isKept: @escaping @Sendable (RunOptions) -> Bool
  ) -> CompatibilityRule {
    CompatibilityRule(keys: keys, statement: statement, stage: .decoding) { options, _ in
      isKept(options) ? [] : [RuleViolation(key: key, sentence: refusal)]
    }
  }

  /// A rule against a setting that would have no effect.
  static func idle(
    _ key: String, _ statement: String, because reason: String, or remedy: String? = nil,
    if isIdle: @escaping @Sendable (RunOptions) -> Bool
  ) -> CompatibilityRule {
    idle([key], statement) { options in
      isIdle(options) ? [RuleViolation(idle: key, because: reason, or: remedy)] : []
    }
  }

  /// The same for a setting of a model of sequences.
  static func idleInModel(
    _ key: String, _ statement: String, because reason: String, or remedy: String? = nil,
    if isIdle: @escaping @Sendable (SequenceModelOptions, RunOptions) -> Bool
  ) -> CompatibilityRule {
    idle("model." + key, statement, because: reason, or: remedy) { options in
      options.model.sequence.map { isIdle($0, options) } ?? false
    }
  }

  /// The same for a setting of a layer.
  static func idleInLayer(
    _ key: String, _ statement: String, because reason: String,
    if isIdle: @escaping @Sendable (LayerOptions, RunOptions) -> Bool
  ) -> CompatibilityRule {
    idle(["model.layers.*." + key], statement) { options in
      options.stacks.flatMap { layers, place in
        layers.indices.filter { isIdle(layers[$0], options) }.map {
          RuleViolation(idle: "\(place).\($0).\(key)", because: reason)
        }
      }
    }
  }

  /// The same for settings that are found one by one.
  static func idle(
    _ keys: [String], _ statement: String,
    find: @escaping @Sendable (RunOptions) -> [RuleViolation]
  ) -> CompatibilityRule {
    CompatibilityRule(keys: keys, statement: statement, stage: .start) { options, _ in
      find(options)
    }
  }

  /// A rule on the model and its data.
  static func fit(
    _ keys: [String], _ statement: String,
    find: @escaping @Sendable (RunOptions, TaskSignature) -> String?
  ) -> CompatibilityRule {
    data(keys, at: "model", statement) { options, data in
      find(options, data).map { "the model does not fit the data: " + $0 }
    }
  }

  /// A rule that is checked when the data is open.
  static func data(
    _ keys: [String], at key: String, _ statement: String,
    find: @escaping @Sendable (RunOptions, TaskSignature) -> String?
  ) -> CompatibilityRule {
    CompatibilityRule(keys: keys, statement: statement, stage: .data) { options, data in
      guard let data, let sentence = find(options, data) else { return [] }
      return [RuleViolation(key: key, sentence: sentence)]
    }
  }
}

extension RuleViolation {
  init(idle key: String, because reason: String, or remedy: String? = nil) {
    self.key = key
    let remedies = [remedy, "remove it"].compactMap(\.self).joined(separator: ", or ")
    sentence = "\(key) would do nothing, because \(reason); \(remedies)"
  }
}
