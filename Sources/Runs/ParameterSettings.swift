internal import Recurrence

extension ParameterLayout {
  /// The parameters whose learning rate or weight decay is not that of the optimizer, a line for each setting;
  /// empty for none.
  var ownSettings: [String] {
    var order: [String] = []
    var names: [String: [String]] = [:]
    for entry in entries {
      let setting = [
        entry.isFrozen
          ? "frozen" : entry.rateFactor == 1 ? nil : "learning rate × \(entry.rateFactor)",
        entry.isFrozen ? nil : entry.weightDecay.map { "weight decay \($0)" },
      ].compactMap(\.self).joined(separator: ", ")
      if setting.isEmpty { continue }
      if names[setting] == nil { order.append(setting) }
      names[setting, default: []].append(entry.name)
    }
    return order.map { "\($0): \(names[$0]!.joined(separator: ", "))" }
  }
}
