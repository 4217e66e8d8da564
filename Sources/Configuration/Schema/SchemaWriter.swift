internal import Formats

/// Writes the schema of a type and of all types inside it.
final class SchemaWriter {
  /// The mappings, by the names of their types.
  private(set) var definitions: [String: JSONValue] = [:]
  private var values: [ObjectIdentifier: (schema: [JSONValue], samples: [ConfigurationNode])] = [:]

  // MARK: Values

  /// Returns the schemas of the values that a type accepts, of which one holds.
  private func schemas(of type: any Decodable.Type) -> [JSONValue] { value(of: type).schema }

  /// Returns a few values of a type.
  private func samples(of type: any Decodable.Type) -> [ConfigurationNode] {
    value(of: type).samples
  }

  private func value(
    of type: any Decodable.Type
  ) -> (schema: [JSONValue], samples: [ConfigurationNode]) {
    let id = ObjectIdentifier(type)
    if let known = values[id] { return known }
    values[id] = ([.object([:])], [])
    let found = Self.scalar(type) ?? collection(type) ?? other(type)
    values[id] = found
    return found
  }

  private static func scalar(
    _ type: any Decodable.Type
  ) -> (schema: [JSONValue], samples: [ConfigurationNode])? {
    switch type {
    case is Bool.Type: (["boolean"].map(kind), ["true", "false"].map { .plain($0) })
    case is String.Type:
      // A number without quotation marks is read as a text as well.
      (
        ["string", "number", "boolean"].map(kind), ["x", "./a.b", "*"].map { .word($0) }
      )
    case is Double.Type, is Float.Type:
      (["number"].map(kind), ["0.5", "1", "0.1", "2", "0.001"].map { .plain($0) })
    case let type as any FixedWidthInteger.Type:
      (
        [integer(atLeast: type.isSigned ? nil : 0)],
        ["1", "2", "4", "8", "3", "16", "64"].map { .plain($0) }
      )
    default: nil
    }
  }

  private static func integer(atLeast least: Int?) -> JSONValue {
    var members: [String: JSONValue] = ["type": .string("integer")]
    if let least { members["minimum"] = .integer(least) }
    return .object(members)
  }

  private static func kind(_ name: String) -> JSONValue { .object(["type": .string(name)]) }

  private func collection(
    _ type: any Decodable.Type
  ) -> (schema: [JSONValue], samples: [ConfigurationNode])? {
    if let type = type as? any NamedElementsType.Type {
      let values = joined(schemas(of: type.element))
      return ([.object(["type": .string("object"), "additionalProperties": values])], [])
    }
    guard let type = type as? any ElementsType.Type else { return nil }
    let (schema, samples) = value(of: type.element)
    let lists = [[0], [0, 0], [0, 1], [1, 2], [0, 0, 0], [0, 1, 2]].filter {
      $0.allSatisfy { samples.indices.contains($0) }
    }
    return (
      [.object(["type": .string("array"), "items": joined(schema)])],
      lists.map { .list($0.map { samples[$0] }) }
    )
  }

  /// Finds the forms of a type that decodes itself: a word, a number, a list, a mapping.
  private func other(
    _ type: any Decodable.Type
  ) -> (schema: [JSONValue], samples: [ConfigurationNode]) {
    var (schema, samples): ([JSONValue], [ConfigurationNode]) = ([], [])
    func accepts(_ node: ConfigurationNode) -> Bool {
      guard SchemaProbe(type, node).isAccepted else { return false }
      samples.append(node)
      return true
    }
    let word = SchemaProbe(type, .word("no such name"))
    if let known = word.failure?.path == [] ? word.failure?.known ?? Self.cases(of: type) : nil {
      schema.append(.object(["enum": .array(known.map { .string($0) })]))
      samples += known.map { .word($0) }
      if accepts(.word("./a.b")) { schema.append(Self.kind("string")) }
    } else if ["x", "epoch", "10m", "60s", "./a.b", "*"].count(where: { accepts(.word($0)) }) > 0 {
      schema.append(Self.kind("string"))
    }
    let isText = SchemaProbe(type, .word("12345")).isAccepted
    if ["0.5", "0.1", "1.5"].contains(where: { accepts(.plain($0)) }) {
      schema.append(Self.kind("number"))
    } else if ["1", "0", "2", "4", "100"].contains(where: { accepts(.plain($0)) }) {
      schema.append(Self.kind(isText ? "number" : "integer"))
    }
    if ["true", "false"].contains(where: { accepts(.plain($0)) }) {
      schema.append(Self.kind("boolean"))
    }
    for inner in inner(of: type) {
      let found = value(of: inner)
      schema += found.schema
      samples += found.samples.filter { SchemaProbe(type, $0).isAccepted }
    }
    if let elements = elements(of: type) {
      schema.append(elements.schema)
      samples += elements.samples
    }
    if !SchemaProbe(type, .mapping([:])).record.keys(at: []).isEmpty {
      let name = Self.name(of: type)
      if definitions[name] == nil {
        definitions[name] = .object([:])
        let probe = MappingProbe(type) { self.samples(of: $0) }
        definitions[name] = object(probe)
        samples.append(.mapping(probe.least))
      }
      schema.append(.object(["$ref": .string("#/$defs/" + name)]))
    }
    return (schema.isEmpty ? [.object([:])] : schema, samples)
  }

  /// Returns the words of an enumeration that has one for each case; nil for other types.
  private static func cases(of type: any Decodable.Type) -> [String]? {
    func words<Choice: CaseIterable>(_ choice: Choice.Type) -> [String] {
      choice.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
    }
    let found = (type as? any CaseIterable.Type).map { words($0) } ?? []
    return found.isEmpty ? nil : found
  }

  /// Returns the types, other than single words and numbers, as which a type decodes its whole value.
  private func inner(of type: any Decodable.Type) -> [any Decodable.Type] {
    let documents: [ConfigurationNode] = [
      .word("x"), .list([.plain("1")]), .list([.mapping([:])]), .mapping([:]),
    ]
    var found: [any Decodable.Type] = []
    for document in documents {
      for inner in SchemaProbe(type, document).record.types[[]] ?? []
      where inner != type && Self.scalar(inner) == nil && !found.contains(where: { $0 == inner }) {
        found.append(inner)
      }
    }
    return found
  }

  /// The list that a type decodes; nil if it decodes none.
  private func elements(
    of type: any Decodable.Type
  ) -> (schema: JSONValue, samples: [ConfigurationNode])? {
    let first = SchemaProbe(type, .list([.plain("1"), .plain("2"), .plain("3")]))
    let types = first.record.types[["*"]] ?? []
    guard !types.isEmpty else { return nil }
    let inner = types.map { value(of: $0) }
    let all = inner.flatMap(\.samples)
    let lists = [[0], [0, 0], [0, 1], [1, 2], [0, 0, 0], [0, 1, 2]].filter {
      $0.allSatisfy { all.indices.contains($0) }
    }
    let samples = lists.map { ConfigurationNode.list($0.map { all[$0] }) }
      .filter { SchemaProbe(type, $0).isAccepted }
    return (
      .object(["type": .string("array"), "items": joined(inner.flatMap(\.schema))]), samples
    )
  }

  // MARK: Mappings

  /// Returns the schema of a mapping itself, without a reference.
  func definition(of type: any Decodable.Type) -> JSONValue {
    object(MappingProbe(type) { self.samples(of: $0) })
  }

  private func object(_ probe: MappingProbe) -> JSONValue {
    var properties: [String: JSONValue] = [:]
    for (key, types) in probe.types {
      properties[key] = property(key, types, probe)
    }
    var members: [String: JSONValue] = [
      "type": .string("object"), "properties": .object(properties),
      "additionalProperties": .bool(false),
    ]
    if !probe.required.isEmpty { members["required"] = strings(probe.required) }
    let rules = kind(of: probe).map { self.rules($0, probe.beside[$0]!, probe) } ?? []
    if !rules.isEmpty { members["allOf"] = .array(rules) }
    return .object(members)
  }

  private func property(
    _ key: String, _ types: [any Decodable.Type], _ probe: MappingProbe
  ) -> JSONValue {
    var found: [JSONValue]
    // A type that decodes itself asks for words and numbers at the same place.
    let decodesItself = types.contains {
      Self.scalar($0) == nil && !($0 is any ElementsType.Type)
        && !($0 is any NamedElementsType.Type)
    }
    if let names = probe.names[key], !decodesItself {
      found = [.object(["enum": strings(Set(names))])]
      // A name that is also the path of a file.
      if SchemaProbe(probe.decodedType, .mapping(probe.least.merging([key: .word("./a.b")]) { $1 }))
        .isAccepted
      {
        found.append(Self.kind("string"))
      }
    } else {
      found = types.filter { !decodesItself || Self.scalar($0) == nil }
        .flatMap { schemas(of: $0) }
      if let accepted = probe.numbers[key] { found = found.map { bounded($0, by: accepted) } }
    }
    if !probe.required.contains(key) { found.append(Self.kind("null")) }
    return joined(found)
  }

  /// Adds the bounds that the accepted numbers tell.
  private func bounded(_ schema: JSONValue, by accepted: Set<Double>) -> JSONValue {
    guard case .object(var members) = schema, case .string(let kind)? = members["type"],
      kind == "number" || kind == "integer", !accepted.isEmpty
    else { return schema }
    if !accepted.contains(where: { $0 < 0 }) {
      if accepted.contains(0) {
        members["minimum"] = .integer(0)
      } else if kind == "number" {
        members["exclusiveMinimum"] = .integer(0)
      } else if accepted.contains(1) {
        members["minimum"] = .integer(1)
      }
    }
    if kind == "number", accepted.contains(0.5), !accepted.contains(where: { $0 > 1 }) {
      members[accepted.contains(1) ? "maximum" : "exclusiveMaximum"] = .integer(1)
    }
    return .object(members)
  }

  /// Returns the key whose names decide most about the keys beside it, such as `cell` of a layer; nil if none
  /// does. Beside the names of others, which are read with some kinds alone, not all keys have been tried.
  private func kind(of probe: MappingProbe) -> String? {
    let counts = probe.beside.mapValues { Set($0.values).count }
    return counts.sorted { $0.key < $1.key }.max { $0.value < $1.value }?.key
  }

  /// Returns the rules on the keys beside the names of a key.
  private func rules(
    _ key: String, _ names: [String: Set<String>], _ probe: MappingProbe
  ) -> [JSONValue] {
    let needed = probe.requiredBeside[key] ?? [:]
    let differ = Set(names.values).count > 1 || needed.values.contains { !$0.isEmpty }
    guard differ else { return [] }
    return names.sorted { $0.key < $1.key }.map { name, keys in
      let condition = JSONValue.object([
        "properties": .object([key: .object(["const": .string(name)])]),
        "required": .array([.string(key)]),
      ])
      var then: [String: JSONValue] = ["propertyNames": .object(["enum": strings(keys)])]
      if let needed = needed[name], !needed.isEmpty { then["required"] = strings(needed) }
      return .object(["if": condition, "then": .object(then)])
    }
  }

  private func strings(_ names: Set<String>) -> JSONValue {
    .array(names.sorted().map { .string($0) })
  }

  /// Returns a schema of which one of some holds: plain types as a list.
  private func joined(_ schemas: [JSONValue]) -> JSONValue {
    var kinds: [JSONValue] = []
    var others: [JSONValue] = []
    for schema in schemas {
      if case .object(let members) = schema, members.count == 1, let kind = members["type"] {
        if !kinds.contains(kind) { kinds.append(kind) }
      } else if !others.contains(schema) {
        others.append(schema)
      }
    }
    if !kinds.isEmpty {
      others.append(.object(["type": kinds.count == 1 ? kinds[0] : .array(kinds)]))
    }
    return others.count == 1 ? others[0] : .object(["anyOf": .array(others)])
  }

  private static func name(of type: any Decodable.Type) -> String {
    // A private type has a part "(unknown context at …)", which is another one in every build.
    String(reflecting: type).split(separator: ".").dropFirst().filter { !$0.hasPrefix("(") }
      .joined(separator: ".").filter { $0.isLetter || $0.isNumber || $0 == "." }
  }
}
