package import Formats
internal import Foundation

/// The JSON Schema (draft 2020-12) of a configuration, which the decoders of its sections tell.
///
/// Nothing of it is written down a second time: a `SchemaProbe` decodes small documents and records the
/// keys that are asked for, with the types of their values and the names that are accepted. Rules between
/// keys are not in it.
public enum ConfigurationSchema {
  /// The schema as text.
  public static func json() throws -> [UInt8] {
    let data = try JSONValue.encoder(pretty: true).encode(value)
    return Array(data) + [UInt8(ascii: "\n")]
  }

  /// The schema.
  package static var value: JSONValue {
    let writer = SchemaWriter()
    guard case .object(var members) = writer.definition(of: RunOptions.self) else {
      preconditionFailure("a configuration that is no mapping")
    }
    members["$schema"] = .string("https://json-schema.org/draft/2020-12/schema")
    members["title"] = .string("A configuration of Unroll")
    members["$defs"] = .object(writer.definitions)
    return .object(members)
  }
}

extension Configuration {
  /// The written values, as an editor that knows YAML 1.2 reads them.
  package var json: JSONValue { root.json }
}

extension ConfigurationNode {
  fileprivate var json: JSONValue {
    switch content {
    case .quoted(let text): return .string(text)
    case .list(let elements): return .array(elements.map(\.json))
    case .mapping(let entries):
      return .object(Dictionary(entries.map { ($0.key, $0.value.json) }) { $1 })
    case .plain(let text):
      if isNull { return .null }
      if let flag = Bool.read(content) { return .bool(flag) }
      if let number = Int.read(content) { return .integer(number) }
      if let number = Double.read(content) { return .number(number) }
      return .string(text)
    }
  }
}
