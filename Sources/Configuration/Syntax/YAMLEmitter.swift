internal import Formats

/// Writes values as YAML that decodes to the same bits.
///
/// (The encoder of the YAML library keeps fifteen digits of a number; this one writes its shortest
/// exact text.)
struct YAMLEmitter {
  private(set) var text = ""

  init(_ value: JSONValue) {
    emit(value, indentation: 0, isInline: true)
  }

  private mutating func emit(_ value: JSONValue, indentation: Int, isInline: Bool) {
    let margin = String(repeating: "  ", count: indentation)
    switch value {
    case .object(let members) where !members.isEmpty:
      for (index, key) in members.keys.sorted().enumerated() {
        guard let member = members[key] else { continue }
        text += (isInline && index == 0 ? "" : margin) + Self.scalar(key) + ":"
        emitBelow(member, indentation: indentation + 1)
      }
    case .array(let elements) where elements.contains(where: \.isNested):
      for (index, element) in elements.enumerated() {
        text += (isInline && index == 0 ? "" : margin) + "- "
        emit(element, indentation: indentation + 1, isInline: true)
      }
    default: text += Self.flow(value) + "\n"
    }
  }

  private mutating func emitBelow(_ value: JSONValue, indentation: Int) {
    let isBlock: Bool
    switch value {
    case .object(let members): isBlock = !members.isEmpty
    case .array(let elements): isBlock = elements.contains(where: \.isNested)
    default: isBlock = false
    }
    text += isBlock ? "\n" : " "
    emit(value, indentation: indentation, isInline: false)
  }

  /// Returns a value on one line.
  private static func flow(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .unsigned(let value): "\(value)"
    case .number(let value): value.description
    case .string(let value): scalar(value)
    case .array(let elements): "[" + elements.map(flow).joined(separator: ", ") + "]"
    case .object: "{}"
    }
  }

  /// Returns a string, in quotes unless every YAML reader takes it for a plain word, path or time.
  private static func scalar(_ string: String) -> String {
    let isWord =
      string.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_.\/+-]*|[0-9]+[smh]|\.{0,2}\/[A-Za-z0-9_.\/+-]+/)
      != nil
    let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
    return isWord && !reserved.contains(string.lowercased()) ? string : quoted(string)
  }

  private static func quoted(_ string: String) -> String {
    var result = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.isPrintableInYAML: result.unicodeScalars.append(scalar)
      default: result += scalar.escapeSequence
      }
    }
    return result + "\""
  }
}

extension Unicode.Scalar {
  /// True if the character can stand in quotes unescaped: it is not a control character, a Unicode
  /// line break or a byte order mark.
  var isPrintableInYAML: Bool {
    switch self {
    case " "..."~", "\u{a0}"..."\u{2027}", "\u{202a}"..."\u{d7ff}", "\u{e000}"..."\u{fefe}",
      "\u{ff00}"..."\u{fffd}", "\u{10000}"...:
      true
    default: false
    }
  }

  /// The escape sequence, in JSON and YAML, of a character of the basic plane.
  var escapeSequence: String {
    let digits = String(value, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}
