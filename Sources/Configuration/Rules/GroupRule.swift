internal import Formats
internal import Names
internal import Optimization
internal import Recurrence
internal import Sequences

/// Returns the parameter groups that would have no parameter, with the names that come nearest.
@Sendable func groupsWithoutParameters(
  _ options: RunOptions, _ data: TaskSignature?
) -> [RuleViolation] {
  let groups = options.training.groups
  guard let data, !groups.isEmpty, options.model.incompatibility(with: data) == nil else {
    return []
  }
  let layout = ParameterLayout(options.model.makeModel(data, seed: 0).plan)
  let members = layout.members(of: groups)
  return zip(groups, members).enumerated().compactMap { index, found -> RuleViolation? in
    let (group, members) = found
    if members.contains(where: { !layout.entries[$0].isFrozen }) { return nil }
    let key = "training.groups.\(index).\(group.match == nil ? "kind" : "match")"
    let matches = layout.matches(group)
    if !members.isEmpty {
      return RuleViolation(idle: key, because: "all of its parameters are frozen")
    }
    if !matches.isEmpty {
      return RuleViolation(
        idle: key,
        because: "earlier groups have all of its parameters, and the first group that matches wins",
        or: "move it before them")
    }
    let names = layout.entries.filter { group.kind == nil || $0.kind == group.kind }.map(\.name)
    let near = group.match.map { similar(to: $0, in: names) } ?? []
    let known = near.isEmpty ? layout.entries.map(\.name) : near
    let list = known.prefix(6).joined(separator: ", ") + (known.count > 6 ? ", …" : "")
    let description = [
      group.match.map { "called \($0)" }, group.kind.map { "of the kind \($0.rawValue)" },
    ].compactMap(\.self).joined(separator: " and ")
    return RuleViolation(
      key: key,
      sentence:
        "\(key): no parameter is \(description); \(near.isEmpty ? "there are" : "similar are") \(list); "
        + "write a pattern of such names, or remove the group")
  }
}

/// Returns the names that share a word with a pattern, or of which a word is nearly one of the pattern.
private func similar(to pattern: String, in names: [String]) -> [String] {
  func words(_ text: String) -> [String] {
    text.split { !$0.isLetter && !$0.isNumber }.map(String.init).filter { $0.count > 1 }
  }
  let wanted = words(pattern)
  return names.filter { name in
    let known = words(name)
    return wanted.contains { word in
      known.contains(word) || Suggestion.nearest(word, among: known) != nil
    }
  }
}
