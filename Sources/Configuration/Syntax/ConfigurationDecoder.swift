internal import Formats
internal import Names

/// Decodes options from a configuration and records the keys that are decoded, so that an unknown
/// key is an error.
///
/// Several types may decode from one mapping (a layer and its cell); their keys are added together.
public final class ConfigurationDecoder {
  private let root: ConfigurationNode
  private let userInfo: [CodingUserInfoKey: any Sendable]
  private var record = KeyRecord()

  public init(_ configuration: Configuration, userInfo: [CodingUserInfoKey: any Sendable] = [:]) {
    root = configuration.root
    self.userInfo = userInfo
  }

  /// The paths of all keys that the last decoding used, in order, with `*` for the index of an
  /// element: `model.layers.*.hidden`.
  public var recordedKeys: [String] { record.paths }

  /// Decodes options.
  ///
  /// Throws the first problem: a wrong type, an impossible value, a missing key, or an unknown key.
  public func decode<Options: Decodable>(
    _ type: Options.Type
  ) throws(ConfigurationError) -> Options {
    record = KeyRecord()
    let options: Options
    do {
      options = try NodeDecoder(node: root, path: [], record: record, userInfo: userInfo)
        .decode(type)
    } catch {
      throw translate(error)
    }
    try refuseUnknownKeys(in: root, at: [])
    return options
  }

  private func refuseUnknownKeys(
    in node: ConfigurationNode, at path: [String]
  ) throws(ConfigurationError) {
    switch node.content {
    case .plain, .quoted: return
    case .list(let elements):
      for (index, element) in elements.enumerated() {
        try refuseUnknownKeys(in: element, at: path + [String(index)])
      }
    case .mapping(let entries):
      let known = record.keys(at: path)
      for entry in entries {
        guard known.contains(entry.key) else {
          throw ConfigurationError(
            at: entry.origin, sentence(unknown: entry.key, among: known, at: path))
        }
        try refuseUnknownKeys(in: entry.value, at: path + [entry.key])
      }
    }
  }

  private func sentence(unknown key: String, among known: [String], at path: [String]) -> String {
    let place = path.isEmpty ? "" : " in " + path.joined(separator: ".")
    let meant = Suggestion.namesElsewhere[key] ?? key
    let advice: String
    if known.contains(meant) {
      advice = "did you mean \"\(meant)\"?"
    } else if let path = record.paths.first(where: { $0 == meant || $0.hasSuffix("." + meant) }) {
      // The right word in the wrong place is better advice than a word that is only similar.
      advice = "did you mean \(path)?"
    } else {
      advice = Suggestion.advice(for: key, among: known)
    }
    return "unknown key \"\(key)\"\(place); \(advice)"
  }

  private func translate(_ error: any Error) -> ConfigurationError {
    switch error {
    case let error as ConfigurationError: return error
    case DecodingError.keyNotFound(let key, let context):
      return missing(key.stringValue, in: context.codingPath)
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
      DecodingError.dataCorrupted(let context):
      return ConfigurationError(
        at: root.nearest(to: context.codingPath.map(\.stringValue)).origin, context.debugDescription
      )
    default: return ConfigurationError(at: root.origin, "\(error)")
    }
  }

  private func missing(_ key: String, in codingPath: [any CodingKey]) -> ConfigurationError {
    let name = codingPath.isEmpty ? "the configuration" : dotted(codingPath)
    let path = codingPath.map(\.stringValue)
    let mapping = root.nearest(to: path)
    let known = record.keys(at: path)
    let unknown = mapping.entries?.first {
      !known.contains($0.key)
        && (Suggestion.namesElsewhere[$0.key] == key
          || Suggestion.nearest($0.key, among: [key]) != nil)
    }
    guard let unknown else {
      return ConfigurationError(at: mapping.origin, "\(name) needs the key \"\(key)\"; add it")
    }
    return ConfigurationError(
      at: unknown.origin, "\(name) needs the key \"\(key)\"; is \"\(unknown.key)\" a misspelling?")
  }
}

/// The decoded keys of every mapping.
final class KeyRecord {
  private var keys: [[String]: [String]] = [:]
  private(set) var paths: [String] = []
  private var known: Set<String> = []

  func keys(at path: [String]) -> [String] { keys[path] ?? [] }

  /// The types that values were decoded as, by their paths with `*` for the index of an element.
  private(set) var types: [[String]: [any Decodable.Type]] = [:]

  /// Records the type that the value at a path is decoded as.
  func note(_ type: any Decodable.Type, at path: [any CodingKey]) {
    let names = path.map { $0 is ElementIndex ? "*" : $0.stringValue }
    guard !types[names, default: []].contains(where: { $0 == type }) else { return }
    types[names, default: []].append(type)
  }

  func ask(_ key: any CodingKey, at path: [any CodingKey]) {
    let mapping = path.map(\.stringValue)
    guard !keys[mapping, default: []].contains(key.stringValue) else { return }
    keys[mapping, default: []].append(key.stringValue)
    let names = path.map { $0 is ElementIndex ? "*" : $0.stringValue } + [key.stringValue]
    let name = names.joined(separator: ".")
    if known.insert(name).inserted { paths.append(name) }
  }
}

/// The index of an element of a list, as a part of a coding path.
struct ElementIndex: CodingKey {
  let index: Int

  init(_ index: Int) { self.index = index }
  init?(intValue: Int) { index = intValue }
  init?(stringValue: String) { return nil }

  var intValue: Int? { index }
  var stringValue: String { String(index) }
}

/// Returns a path in the form that `--set` takes.
func dotted(_ codingPath: [any CodingKey]) -> String {
  codingPath.map(\.stringValue).joined(separator: ".")
}
