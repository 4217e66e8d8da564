internal import Glibc
public import Recurrence

/// Parameters with settings of their own: `{match: "*.bias_*", weight_decay: 0}`.
public struct ParameterGroup: Codable, Sendable, Equatable {
  /// A pattern for names with `*`, `?` and `[…]`; nil for any name.
  public var match: String?
  /// The kind of parameter; nil for any.
  public var kind: ParameterKind?
  /// The factor on the learning rate.
  public var rate: Double?
  /// The weight decay, in place of the optimizer's.
  public var weightDecay: Double?

  private enum CodingKeys: String, CodingKey {
    case match, kind, rate
    case weightDecay = "weight_decay"
  }

  public init(
    match: String? = nil, kind: ParameterKind? = nil, rate: Double? = nil,
    weightDecay: Double? = nil
  ) {
    (self.match, self.kind, self.rate, self.weightDecay) = (match, kind, rate, weightDecay)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    match = try container.decode(.match, "a name with * for any letters") { !$0.isEmpty }
    kind = try container.name(.kind, of: "kind of parameter")
    rate = try container.decode(
      .rate, "a finite number above 0: frozen, embedding_rate and output_rate freeze parameters"
    ) { 0 < $0 && $0.isFinite }
    weightDecay = try container.decode(.weightDecay, "a finite number of at least 0") {
      0 <= $0 && $0.isFinite
    }
    guard match != nil || kind != nil else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: container.codingPath,
          debugDescription: "a group is of all parameters; give it match or kind"))
    }
    guard rate != nil || weightDecay != nil else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: container.codingPath,
          debugDescription: "a group does nothing; give it rate or weight_decay"))
    }
  }

  /// Returns true if a parameter is of this group, unless an earlier one has it.
  func holds(_ entry: ParameterLayout.Entry) -> Bool {
    if let kind, entry.kind != kind { return false }
    guard let match else { return true }
    return fnmatch(match, entry.name, 0) == 0
  }
}

extension ParameterLayout {
  /// Returns for each group the places of its parameters in `entries`. A parameter is of the first group that
  /// matches it.
  public func members(of groups: [ParameterGroup]) -> [[Int]] {
    var members = [[Int]](repeating: [], count: groups.count)
    for (index, entry) in entries.enumerated() {
      if let group = groups.firstIndex(where: { $0.holds(entry) }) { members[group].append(index) }
    }
    return members
  }

  /// Returns the parameters that a group would have without those before it.
  public func matches(_ group: ParameterGroup) -> [Entry] { entries.filter(group.holds) }

  /// Returns this layout with the rates and the weight decay of groups.
  public func with(_ groups: [ParameterGroup]) -> ParameterLayout {
    var layout = self
    for (group, members) in zip(groups, members(of: groups)) {
      for index in members {
        layout.change(index, rate: group.rate ?? 1, weightDecay: group.weightDecay)
      }
    }
    return layout
  }
}
