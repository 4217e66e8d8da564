/// One value of a configuration, with the place where it was written.
struct ConfigurationNode: Sendable {
  enum Content: Sendable {
    /// A scalar without quotes: a number, a Boolean, null or a word, depending on the decoded type.
    case plain(String)
    /// A scalar in quotes or in a block: always a string.
    case quoted(String)
    case list([ConfigurationNode])
    case mapping([Entry])
  }

  struct Entry: Sendable {
    var key: String
    /// The place of the key.
    var origin: ConfigurationOrigin
    var value: ConfigurationNode
  }

  var content: Content
  var origin: ConfigurationOrigin

  var isNull: Bool {
    guard case .plain(let text) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// The entries of a mapping; null counts as an empty mapping.
  var entries: [Entry]? {
    if case .mapping(let entries) = content { return entries }
    return isNull ? [] : nil
  }

  /// The elements of a list; null counts as an empty list.
  var elements: [ConfigurationNode]? {
    if case .list(let elements) = content { return elements }
    return isNull ? [] : nil
  }

  subscript(key: String) -> ConfigurationNode? {
    entries?.first { $0.key == key }?.value
  }

  /// A description of this value for messages.
  var summary: String {
    switch content {
    case _ where isNull: return "nothing"
    case .plain(let text): return quote(text)
    case .quoted(let text): return "the string \(quote(text))"
    case .list: return "a list"
    case .mapping: return "a mapping"
    }
  }

  private func quote(_ text: String) -> String {
    let short = text.count > 60 ? text.prefix(57) + "..." : text[...]
    return String(short).debugDescription
  }

  /// Returns the value at a path, or else the last existing one on the path.
  func nearest(to path: some Collection<String>) -> ConfigurationNode {
    guard let key = path.first else { return self }
    let next: ConfigurationNode?
    if case .list(let elements) = content {
      next = Int(key).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
    } else {
      next = self[key]
    }
    return next?.nearest(to: path.dropFirst()) ?? self
  }

  /// Returns this value with another merged into it: mappings merge key by key, other values are
  /// replaced.
  func merged(with other: ConfigurationNode) -> ConfigurationNode {
    guard case .mapping(var merged) = content, case .mapping(let added) = other.content else {
      return other
    }
    for entry in added {
      if let index = merged.firstIndex(where: { $0.key == entry.key }) {
        merged[index].origin = entry.origin
        merged[index].value = merged[index].value.merged(with: entry.value)
      } else {
        merged.append(entry)
      }
    }
    return ConfigurationNode(content: .mapping(merged), origin: origin)
  }
}
