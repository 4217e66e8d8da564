internal import Formats

/// The settings that differ between runs.
struct SettingDifferences {
  private let names: [String]
  private let rows: [(key: String, values: [String])]

  init(_ runs: [RunHistory]) {
    names = runs.map(\.name)
    let settings = runs.map { run in
      Dictionary(Self.flatten(run.configuration ?? .object([:]), ""), uniquingKeysWith: { $1 })
    }
    let keys = Set(settings.flatMap(\.keys)).subtracting(["name"]).sorted()
    rows = keys.compactMap { key in
      let values = settings.map { $0[key] ?? "–" }
      return Set(values).count > 1 ? (key, values) : nil
    }
  }

  /// Returns the settings below a value with their whole keys.
  private static func flatten(_ value: JSONValue, _ key: String) -> [(String, String)] {
    switch value {
    case .object(let members):
      return members.flatMap { flatten($1, key.isEmpty ? $0 : "\(key).\($0)") }
    case .array(let elements) where elements.contains(where: isNested):
      return elements.enumerated().flatMap { flatten($1, "\(key).\($0)") }
    case .array(let elements): return [(key, "[\(elements.map(words).joined(separator: ", "))]")]
    default: return [(key, words(value))]
    }
  }

  private static func isNested(_ value: JSONValue) -> Bool {
    switch value {
    case .object, .array: true
    default: false
    }
  }

  private static func words(_ value: JSONValue) -> String {
    switch value {
    case .null: "none"
    case .bool(let value): "\(value)"
    case .string(let value): value
    default: value.double.map(number) ?? "…"
    }
  }

  var html: String {
    guard !rows.isEmpty else { return "<p class=\"note\">The runs have the same settings.</p>" }
    let heads = (["setting"] + names).map { "<th>\(escaped($0))</th>" }.joined()
    let lines = rows.map { row in
      "<tr><td><code>\(escaped(row.key))</code></td>"
        + row.values.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>"
    }
    return """
      <h2>Settings that differ</h2>
      <div class="wide"><table><tr>\(heads)</tr>
      \(lines.joined(separator: "\n"))
      </table></div>
      """
  }
}
