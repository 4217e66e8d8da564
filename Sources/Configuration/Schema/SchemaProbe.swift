internal import Names

/// Lets a type decode documents, and tells what it asked for and why it failed.
struct SchemaProbe {
  let record: KeyRecord
  /// The reason for which it failed; nil if the document was decoded.
  let failure: Failure?

  /// A reason, with the path of the value that is at fault.
  struct Failure {
    let path: [String]
    /// The key that is missing in the mapping at `path`.
    var missing: String?
    /// The names that would have been accepted.
    var known: [String]?
    /// True if another kind of value is expected.
    var isMismatch = false
  }

  init(_ type: any Decodable.Type, _ node: ConfigurationNode) {
    let record = KeyRecord()
    let decoder = NodeDecoder(node: node, path: [], record: record, userInfo: [:])
    var failure: Failure?
    do {
      _ = try decoder.decode(type)
    } catch DecodingError.keyNotFound(let key, let context) {
      failure = Failure(path: context.codingPath.map(\.stringValue), missing: key.stringValue)
    } catch DecodingError.dataCorrupted(let context) {
      failure = Failure(
        path: context.codingPath.map(\.stringValue),
        known: (context.underlyingError as? UnknownName)?.known)
    } catch DecodingError.typeMismatch(_, let context),
      DecodingError.valueNotFound(_, let context)
    {
      failure = Failure(path: context.codingPath.map(\.stringValue), isMismatch: true)
    } catch {
      failure = Failure(path: [])
    }
    self.record = record
    self.failure = failure
  }

  /// True if the document was decoded.
  var isAccepted: Bool { failure == nil }
}

extension ConfigurationNode {
  /// A value of a document that a probe makes.
  static func probe(_ content: Content) -> ConfigurationNode {
    ConfigurationNode(content: content, origin: .file("schema"))
  }

  static func plain(_ text: String) -> ConfigurationNode { probe(.plain(text)) }
  static func word(_ text: String) -> ConfigurationNode { probe(.quoted(text)) }

  static func list(_ elements: [ConfigurationNode]) -> ConfigurationNode { probe(.list(elements)) }

  /// A mapping, its keys in alphabetical order.
  static func mapping(_ values: [String: ConfigurationNode]) -> ConfigurationNode {
    probe(
      .mapping(
        values.sorted { $0.key < $1.key }.map {
          Entry(key: $0.key, origin: .file("schema"), value: $0.value)
        }))
  }
}

/// Lists and dictionaries, whose elements are types of their own.
protocol ElementsType { static var element: any Decodable.Type { get } }
protocol NamedElementsType { static var element: any Decodable.Type { get } }

extension Array: ElementsType where Element: Decodable {
  static var element: any Decodable.Type { Element.self }
}

extension Dictionary: NamedElementsType where Key == String, Value: Decodable {
  static var element: any Decodable.Type { Value.self }
}

extension Optional: ElementsType where Wrapped: Decodable {
  static var element: any Decodable.Type { Wrapped.self }
}
