internal import Yams

/// Parses the text of one YAML document into nodes with positions.
struct ConfigurationParser {
  /// The largest number of values. Aliases can make a page of text stand for billions of values.
  static let largestCount = 100_000

  private let locate: (_ line: Int, _ column: Int) -> ConfigurationOrigin
  private let whole: ConfigurationOrigin
  private var count = 0

  /// Parses the text of a file.
  static func parse(_ text: String, file: String) throws(ConfigurationError) -> ConfigurationNode {
    try parse(text, whole: .file(file)) { .position(file: file, line: $0, column: $1) }
  }

  /// Parses the value of a `--set` assignment.
  static func parse(_ text: String, assignment: String) throws(ConfigurationError)
    -> ConfigurationNode
  {
    try parse(text, whole: .override(assignment)) { _, _ in .override(assignment) }
  }

  private static func parse(
    _ text: String, whole: ConfigurationOrigin,
    locate: @escaping (_ line: Int, _ column: Int) -> ConfigurationOrigin
  ) throws(ConfigurationError) -> ConfigurationNode {
    let text = text.first == "\u{feff}" ? String(text.dropFirst()) : text
    var parser = ConfigurationParser(locate: locate, whole: whole)
    do {
      guard let root = try Yams.compose(yaml: text) else {
        return ConfigurationNode(content: .plain(""), origin: locate(1, 1))
      }
      return try parser.node(root)
    } catch let error as ConfigurationError {
      throw error
    } catch let error as YamlError {
      throw parser.translate(error, in: text)
    } catch {
      throw ConfigurationError(at: whole, "cannot be read as YAML (\(error))")
    }
  }

  private init(
    locate: @escaping (_ line: Int, _ column: Int) -> ConfigurationOrigin,
    whole: ConfigurationOrigin
  ) {
    self.locate = locate
    self.whole = whole
  }

  private func origin(_ mark: Mark?) -> ConfigurationOrigin {
    locate(mark?.line ?? 1, mark?.column ?? 1)
  }

  private mutating func node(_ node: Node) throws(ConfigurationError) -> ConfigurationNode {
    count += 1
    if count > Self.largestCount {
      throw ConfigurationError(
        at: whole, "has more than \(Self.largestCount) values; use fewer aliases")
    }
    let origin = self.origin(node.mark)
    switch node {
    case .scalar(let scalar):
      return ConfigurationNode(content: try content(scalar, at: origin), origin: origin)
    case .sequence(let sequence):
      var elements: [ConfigurationNode] = []
      for element in sequence { elements.append(try self.node(element)) }
      return ConfigurationNode(content: .list(elements), origin: origin)
    case .mapping(let mapping):
      return ConfigurationNode(content: .mapping(try entries(mapping)), origin: origin)
    case .alias(let alias):
      throw ConfigurationError(
        at: origin, "the alias *\(alias.anchor) names no anchor; write it out")
    }
  }

  private func content(
    _ scalar: Node.Scalar, at origin: ConfigurationOrigin
  ) throws(ConfigurationError) -> ConfigurationNode.Content {
    // The library sets the tag `str` on every scalar in quotes or in a block.
    switch scalar.tag.rawValue {
    case "!", Tag.Name.str.rawValue: return .quoted(scalar.string)
    case let tag where tag.isEmpty || tag.hasPrefix("tag:yaml.org,2002:"):
      return .plain(scalar.string)
    case let tag: throw ConfigurationError(at: origin, "unknown tag \(tag); remove it")
    }
  }

  /// Returns the entries of a mapping, with merge keys (`<<`) resolved: the mapping's own entries
  /// take precedence, then those of the earliest merged mapping.
  private mutating func entries(
    _ mapping: Node.Mapping
  ) throws(ConfigurationError) -> [ConfigurationNode.Entry] {
    var entries: [ConfigurationNode.Entry] = []
    var inherited: [ConfigurationNode.Entry] = []
    for (key, value) in mapping {
      let origin = self.origin(key.mark)
      guard case .scalar(let name) = key else {
        throw ConfigurationError(at: origin, "a key must be a word, not a list or a mapping")
      }
      guard name.string == "<<", name.style == .plain else {
        entries.append(.init(key: name.string, origin: origin, value: try node(value)))
        continue
      }
      let merged = try node(value)
      for source in merged.elements ?? [merged] {
        guard case .mapping(let added) = source.content else {
          throw ConfigurationError(at: origin, "<< merges mappings only, found \(source.summary)")
        }
        inherited += added
      }
    }
    for entry in inherited where !entries.contains(where: { $0.key == entry.key }) {
      entries.append(entry)
    }
    return entries
  }

  private func translate(_ error: YamlError, in text: String) -> ConfigurationError {
    switch error {
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      if startsWithTab(text, line: mark.line) {
        return ConfigurationError(at: origin(mark), "a tab cannot indent YAML; use spaces")
      }
      // libyaml's context ends where the sentence continues: "while parsing a block mapping".
      let sentence = [context?.text, problem].compactMap { $0 }.joined(separator: ", ")
      return ConfigurationError(at: origin(mark), "not valid YAML: \(sentence)")
    case .reader(let problem, let offset, _, _):
      guard let offset else { return ConfigurationError(at: whole, "not valid YAML: \(problem)") }
      let before = text.prefix(offset)
      let line = before.count(where: \.isNewline)
      let column = before.reversed().prefix { !$0.isNewline }.count
      return ConfigurationError(at: locate(line + 1, column + 1), "not valid YAML: \(problem)")
    case .duplicatedKeysInMapping(let names, let context):
      let first = DuplicateKey(name: names.first ?? "", mark: context.mark)
      return ConfigurationError(
        at: origin(first.second(in: text) ?? first.mark),
        "the key \"\(first.name)\" is already in line \(first.mark.line); remove one of them")
    default:
      return ConfigurationError(at: whole, "not valid YAML: \(error)")
    }
  }

  private func startsWithTab(_ text: String, line: Int) -> Bool {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    guard lines.indices.contains(line - 1) else { return false }
    return lines[line - 1].prefix { $0 == " " || $0 == "\t" }.contains("\t")
  }
}
