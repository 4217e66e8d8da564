import Formats

/// A judge of values by a JSON Schema, of the keywords that the schema of configurations uses.
struct SchemaJudge {
  let root: JSONValue

  /// Returns what is wrong with a value; nothing if it is valid.
  func faults(_ value: JSONValue, _ schema: JSONValue, at path: String = "") -> [String] {
    guard case .object(let keywords) = schema else {
      return schema == .bool(false) ? ["\(path): no value is allowed"] : []
    }
    var found: [String] = []
    for (keyword, rule) in keywords.sorted(by: { $0.key < $1.key }) {
      found += faults(value, keyword, rule, schema, path)
    }
    return found
  }

  private func faults(
    _ value: JSONValue, _ keyword: String, _ rule: JSONValue, _ schema: JSONValue, _ path: String
  ) -> [String] {
    switch keyword {
    case "$ref": return reference(value, rule, path)
    case "anyOf": return anyOf(value, rule, path)
    case "allOf": return list(rule).flatMap { faults(value, $0, at: path) }
    case "if":
      guard faults(value, rule, at: path).isEmpty, let then = schema["then"] else { return [] }
      return faults(value, then, at: path)
    case "type":
      return hasKind(value, rule) ? [] : ["\(path): \(value) is not of the type \(rule)"]
    case "enum":
      return list(rule).contains(value) ? [] : ["\(path): \(value) is none of \(rule)"]
    case "const": return rule == value ? [] : ["\(path): \(value) is not \(rule)"]
    case "properties": return properties(value, rule, path)
    case "additionalProperties": return others(value, rule, schema, path)
    case "propertyNames":
      return members(value).keys.sorted().flatMap { faults(.string($0), rule, at: path + "." + $0) }
    case "required":
      let keys = members(value).keys.map { JSONValue.string($0) }
      return list(rule).filter { !keys.contains($0) }.map { "\(path) lacks \($0)" }
    case "items":
      var found: [String] = []
      for (index, element) in list(value).enumerated() {
        found += faults(element, rule, at: "\(path).\(index)")
      }
      return found
    case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
      return bound(value, keyword, rule, path)
    case "$schema", "title", "$defs", "then", "description": return []
    default: return ["the schema has an unknown keyword \(keyword)"]
    }
  }

  private func list(_ value: JSONValue) -> [JSONValue] {
    if case .array(let elements) = value { elements } else { [] }
  }

  private func members(_ value: JSONValue) -> [String: JSONValue] {
    if case .object(let members) = value { members } else { [:] }
  }

  private func reference(_ value: JSONValue, _ rule: JSONValue, _ path: String) -> [String] {
    guard case .string(let name) = rule,
      let definition = root["$defs"]?[String(name.dropFirst("#/$defs/".count))]
    else { return ["\(path): \(rule) is not defined"] }
    return faults(value, definition, at: path)
  }

  private func anyOf(_ value: JSONValue, _ rule: JSONValue, _ path: String) -> [String] {
    let found = list(rule).map { faults(value, $0, at: path) }
    return found.contains(where: \.isEmpty)
      ? [] : ["\(path): no form fits: \(found.map { $0.first ?? "" }.joined(separator: " | "))"]
  }

  private func hasKind(_ value: JSONValue, _ rule: JSONValue) -> Bool {
    if case .array(let kinds) = rule { return kinds.contains { hasKind(value, $0) } }
    return switch (value, rule) {
    case (.null, .string("null")), (.bool, .string("boolean")), (.string, .string("string")),
      (.array, .string("array")), (.object, .string("object")),
      (.integer, .string("integer")), (.unsigned, .string("integer")),
      (.integer, .string("number")), (.unsigned, .string("number")), (.number, .string("number")):
      true
    case (.number(let number), .string("integer")): number == number.rounded()
    default: false
    }
  }

  private func properties(_ value: JSONValue, _ rule: JSONValue, _ path: String) -> [String] {
    members(rule).sorted { $0.key < $1.key }.flatMap { key, schema in
      members(value)[key].map { faults($0, schema, at: path.isEmpty ? key : path + "." + key) }
        ?? []
    }
  }

  private func others(
    _ value: JSONValue, _ rule: JSONValue, _ schema: JSONValue, _ path: String
  ) -> [String] {
    let known = Set(members(schema["properties"] ?? .null).keys)
    return members(value).filter { !known.contains($0.key) }.sorted { $0.key < $1.key }.flatMap {
      faults($1, rule, at: path.isEmpty ? $0 : path + "." + $0)
    }
  }

  private func bound(
    _ value: JSONValue, _ keyword: String, _ rule: JSONValue, _ path: String
  ) -> [String] {
    guard let number = value.double, let bound = rule.double else { return [] }
    let holds =
      switch keyword {
      case "minimum": number >= bound
      case "maximum": number <= bound
      case "exclusiveMinimum": number > bound
      default: number < bound
      }
    return holds ? [] : ["\(path): \(number) breaks \(keyword) \(bound)"]
  }
}
