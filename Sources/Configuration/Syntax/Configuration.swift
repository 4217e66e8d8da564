internal import Formats
internal import Foundation

/// The values of YAML files and of the command line; each value knows where it was written.
///
/// Relative paths inside a configuration are relative to the current directory, not to the file.
public struct Configuration: Sendable {
  var root: ConfigurationNode

  /// Reads files, merges each into those before it, then applies assignments `key.path=value` in
  /// order.
  ///
  /// Mappings merge key by key; lists and scalars are replaced. The value of an assignment is YAML.
  /// An element of a list is named by its index, as in `model.layers.0.hidden=20`.
  ///
  /// Throws if a file cannot be read or is not YAML, or if an assignment names a path that cannot
  /// exist.
  public static func load(
    files: [String], set assignments: [String] = []
  ) throws(ConfigurationError) -> Configuration {
    var configuration: Configuration?
    for file in files {
      let next = try Configuration(yaml: try contents(of: file), file: file)
      configuration = configuration.map { $0.merged(with: next) } ?? next
    }
    var result = configuration ?? Configuration()
    for assignment in assignments { try result.set(assignment) }
    return result
  }

  /// Decodes options from files and assignments; every key in them must be one that the options
  /// decode.
  public static func decode<Options: Decodable>(
    _ type: Options.Type, from files: [String], set assignments: [String] = [],
    userInfo: [CodingUserInfoKey: any Sendable] = [:]
  ) throws(ConfigurationError) -> Options {
    try load(files: files, set: assignments).decode(type, userInfo: userInfo)
  }

  /// Makes an empty configuration: every option has its default.
  public init() {
    root = ConfigurationNode(content: .mapping([]), origin: .file("configuration"))
  }

  /// Parses the configuration in `text`; messages call it `file`.
  public init(yaml text: String, file: String) throws(ConfigurationError) {
    root = try ConfigurationParser.parse(text, file: file)
    guard let entries = root.entries else {
      throw ConfigurationError(
        at: root.origin, "a configuration is a mapping of keys to values, found \(root.summary)")
    }
    root.content = .mapping(entries)
  }

  /// Returns true if a key is given at the top.
  public func contains(_ key: String) -> Bool {
    root.entries?.contains { $0.key == key } ?? false
  }

  /// Returns this configuration with another merged into it.
  public func merged(with other: Configuration) -> Configuration {
    var result = self
    result.root = root.merged(with: other.root)
    return result
  }

  /// Applies one assignment in the form of the command line: `key.path=value`.
  public mutating func set(_ assignment: String) throws(ConfigurationError) {
    let origin = ConfigurationOrigin.override(assignment)
    guard let equals = assignment.firstIndex(of: "=") else {
      throw ConfigurationError(at: origin, "has no value; write it as key.path=value")
    }
    let path = assignment[..<equals].split(separator: ".", omittingEmptySubsequences: false)
    guard path.allSatisfy({ !$0.isEmpty }) else {
      throw ConfigurationError(at: origin, "has an empty key; write it as key.path=value")
    }
    let text = String(assignment[assignment.index(after: equals)...])
    var value = try ConfigurationParser.parse(text, assignment: assignment)
    value.origin = origin
    try root.assign(value, at: path.map(String.init)[...], under: [])
  }

  /// Decodes options; every key must be one that the options decode.
  public func decode<Options: Decodable>(
    _ type: Options.Type, userInfo: [CodingUserInfoKey: any Sendable] = [:]
  ) throws(ConfigurationError) -> Options {
    try ConfigurationDecoder(self, userInfo: userInfo).decode(type)
  }

  /// Returns the place where a value was written, or else that of the nearest mapping around it,
  /// for messages about values that turn out to be impossible after decoding. `path` has the form
  /// that `set` takes.
  public func origin(of path: String) -> ConfigurationOrigin {
    root.nearest(to: path.split(separator: ".").map(String.init)).origin
  }

  private static func contents(of file: String) throws(ConfigurationError) -> String {
    let data: [UInt8]
    do throws(FileError) {
      data = try readFile(file)
    } catch {
      let problem =
        switch FileKind(file) {
        case .nothing: "there is no such file; check the path"
        case .folder: "is a directory; name a YAML file"
        // The file is read by each process, and more than once.
        case .other: "is not a regular file; name a YAML file"
        case .file: "cannot be read; check its permissions"
        }
      throw ConfigurationError(at: .file(file), problem)
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ConfigurationError(at: .file(file), "is not UTF-8 text; save it as UTF-8")
    }
    return text
  }
}

extension ConfigurationNode {
  /// Sets a value at a path and creates missing mappings on the path.
  fileprivate mutating func assign(
    _ value: ConfigurationNode, at path: ArraySlice<String>, under parents: [String]
  ) throws(ConfigurationError) {
    guard let key = path.first else {
      self = value
      return
    }
    let below = path.dropFirst()
    if case .list(var elements) = content {
      let name = parents.joined(separator: ".")
      guard let index = Int(key) else {
        throw ConfigurationError(
          at: value.origin, "\(name) is a list; name an element by its index, as in \(name).0")
      }
      guard elements.indices.contains(index) else {
        throw ConfigurationError(
          at: value.origin,
          "\(name) has \(elements.count) element\(elements.count == 1 ? "" : "s"), counted from 0;"
            + " choose one of them or set the whole list")
      }
      try elements[index].assign(value, at: below, under: parents + [key])
      content = .list(elements)
      return
    }
    if entries == nil { origin = value.origin }
    var entries = entries ?? []
    let index = entries.firstIndex { $0.key == key } ?? entries.endIndex
    if index == entries.endIndex {
      let nothing = ConfigurationNode(content: .plain(""), origin: value.origin)
      entries.append(Entry(key: key, origin: value.origin, value: nothing))
    }
    try entries[index].value.assign(value, at: below, under: parents + [key])
    content = .mapping(entries)
  }
}
