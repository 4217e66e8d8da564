public import Formats
internal import Foundation
internal import Recurrence

/// The parts of models, as `unroll networks` shows them: every registered cell, the layers around
/// cells, the heads, and the generated tasks.
public struct NetworkCatalogue: Encodable, Sendable {
  /// A key of a configuration with its default.
  public struct Option: Encodable, Sendable {
    public let key: String
    /// The default; `null` for none, nil for a required key.
    public let standard: JSONValue?
    /// Other values, which show the possible choices.
    public let others: [JSONValue]

    enum CodingKeys: String, CodingKey {
      case key
      case standard = "default"
      case others
    }

    var words: String {
      let others = others.map(\.plain).joined(separator: ", ")
      guard let standard else {
        return "\(key) (required" + (others.isEmpty ? ")" : ": \(others))")
      }
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
    /// The parameters that an option adds, such as `peephole: gers`.
    public var further: [String: [Parameter]] = [:]
    /// The number of parameters of an example, in words.
    public let example: String
  }

  /// A task with generated examples.
  public struct Task: Encodable, Sendable {
    public let name: String
    public let summary: String
    public let source: String
    public let options: [Option]
  }

  public let cells: [Network]
  public let layers: [Network]
  public let heads: [Network]
  public let tasks: [Task]
  /// The keys that every layer can have.
  public let layerOptions: [Option]

  enum CodingKeys: String, CodingKey {
    case cells, layers, heads, tasks
    case layerOptions = "layer_options"
  }

  /// Reads the registries.
  public init() {
    cells = Recurrence.cells.sorted { $0.key < $1.key }.map { Network(cell: $1, name: $0) }
    layers = Network.layers
    heads = Network.heads
    tasks = Task.all
    layerOptions = Option.ofEveryLayer
  }

  public var json: String { get throws { try prettyJSON(self) } }

  public var words: String {
    let groups = [
      ("CELLS", cells.map(\.words)), ("LAYERS", layers.map(\.words)),
      ("HEADS", heads.map(\.words)), ("TASKS", tasks.map(\.words)),
    ].map { title, entries in "\(title)\n\n" + entries.joined(separator: "\n\n") }
    let notes = """
      x is the input of a layer, h its output, h₋ and c₋ the values of the step before, ∘ the \
      elementwise product.
      Every layer may also have: \(layerOptions.map(\.words).joined(separator: ", ")).
      Every task may also have: train_size, valid_size and test_size, the numbers of its examples.
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

extension NetworkCatalogue.Task {
  var words: String {
    var lines = ["  \(name)   \(source)", "      \(summary)"]
    if !options.isEmpty {
      lines.append("    options     " + options.map(\.words).joined(separator: ", "))
    }
    return lines.joined(separator: "\n")
  }
}
