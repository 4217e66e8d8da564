/// One value of a configuration, which knows where it was written.
struct ConfigurationNode: Sendable {
  enum Content: Sendable {
    /// A scalar without quotes: a number, a truth value, null or a word, as the reader asks for it.
    case plain(String)
    /// A scalar in quotes or in a block: always a string.
    case quoted(String)
    case list([ConfigurationNode])
    case mapping([Entry])
  }

  struct Entry: Sendable {
    var key: String
    /// Where the key stands.
    var origin: ConfigurationOrigin
    var value: ConfigurationNode
  }

  var content: Content
  var origin: ConfigurationOrigin

  var isNull: Bool {
    guard case .plain(let text) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// The entries of a mapping; nothing stands for an empty mapping.
  var entries: [Entry]? {
    if case .mapping(let entries) = content { return entries }
    return isNull ? [] : nil
  }

  /// The elements of a list; nothing stands for an empty list.
  var elements: [ConfigurationNode]? {
    if case .list(let elements) = content { return elements }
    return isNull ? [] : nil
  }

  subscript(key: String) -> ConfigurationNode? {
    entries?.first { $0.key == key }?.value
  }

  /// How a message names this value.
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

  /// The value at a path, or else the last one on the way there.
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

  /// This value with another laid over it: mappings merge key by key, anything else is replaced.
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
