internal import Foundation
internal import Recurrence

/// What models can be made of, as `unroll networks` shows it: every cell of the registry, the layers
/// around them, and the heads.
public struct NetworkCatalogue: Encodable, Sendable {
  /// A key of a configuration with what it is unless set.
  public struct Option: Encodable, Sendable {
    public let key: String
    /// `null` for nothing; nil where a value must be given.
    public let standard: JSONValue?
    /// Other values that say what may be chosen.
    public let others: [JSONValue]

    enum CodingKeys: String, CodingKey {
      case key
      case standard = "default"
      case others
    }

    var words: String {
      guard let standard else { return "\(key) (required)" }
      let others = others.map(\.plain).joined(separator: ", ")
      return "\(key): \(standard.plain)" + (others.isEmpty ? "" : " (\(others))")
    }
  }

  /// A parameter with its shape in words: `weight_ih [4·hidden, input]`.
  public struct Parameter: Encodable, Equatable, Sendable {
    public let name: String
    public let shape: [String]

    var words: String { "\(name) [\(shape.joined(separator: ", "))]" }
  }

  /// A cell, a layer or a head.
  public struct Network: Encodable, Sendable {
    public let name: String
    public let equations: [String]
    public let source: String
    public let options: [Option]
    public let parameters: [Parameter]
    /// Parameters that an option brings: `peephole: gers`.
    public var further: [String: [Parameter]] = [:]
    /// Its size for an example, in words.
    public let example: String
  }

  public let cells: [Network]
  public let layers: [Network]
  public let heads: [Network]
  /// Keys that every layer may have.
  public let layerOptions: [Option]

  enum CodingKeys: String, CodingKey {
    case cells, layers, heads
    case layerOptions = "layer_options"
  }

  /// Reads the registry.
  public init() {
    cells = Recurrence.cells.sorted { $0.key < $1.key }.map { Network(cell: $1, name: $0) }
    layers = Network.layers
    heads = Network.heads
    let keys: [(String, JSONValue, [JSONValue])] = [
      ("dropout", .null, [.number(0.2)]), ("residual", .bool(false), [.bool(true)]),
      (
        "initializer", .null,
        [
          .string("pytorch"), .string("orthogonal"), .string("xavier"),
          .string("{uniform: 0.1}"), .string("{normal: 0.1}"),
        ]
      ),
      ("frozen", .bool(false), [.bool(true)]), ("rate", .integer(1), [.number(0.5)]),
      ("initial_state", .string("zero"), [.string("learnt"), .string("e0")]),
      ("feedback", .string("none"), [.string("output"), .string("target")]),
      ("feedback_width", .null, [.integer(100)]),
      ("feedback_nonlinearity", .null, [.string("tanh"), .string("relu")]),
      ("zoneout", .integer(0), [.number(0.1)]),
    ]
    layerOptions = keys.map { Option(key: $0, standard: $1, others: $2) }
  }

  public var json: String { get throws { try prettyJSON(self) } }

  public var words: String {
    let groups = [("CELLS", cells), ("LAYERS", layers), ("HEADS", heads)].map { title, networks in
      "\(title)\n\n" + networks.map(\.words).joined(separator: "\n\n")
    }
    let notes = """
      x is what a layer reads, h its output, h₋ and c₋ the values of the step before, ∘ the product of \
      elements.
      Every layer may also have: \(layerOptions.map(\.words).joined(separator: ", ")).
      """
    return groups.joined(separator: "\n\n") + "\n\n" + notes
  }
}

extension NetworkCatalogue.Network {
  var words: String {
    var lines = ["  \(name)   \(source)"]
    lines += equations.map { "      \($0)" }
    if !options.isEmpty {
      lines.append("    options     " + options.map(\.words).joined(separator: ", "))
    }
    if !parameters.isEmpty {
      lines.append("    parameters  " + parameters.map(\.words).joined(separator: ", "))
    }
    for (option, parameters) in further.sorted(by: { $0.key < $1.key }) {
      lines.append("    \(option): " + parameters.map(\.words).joined(separator: ", "))
    }
    if !example.isEmpty { lines.append("    example     \(example)") }
    return lines.joined(separator: "\n")
  }
}
