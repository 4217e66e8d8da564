internal import Formats
internal import Recurrence

/// The first option in which two models compute different things; the names of options are those of a
/// configuration.
struct ModelDifference {
  /// The path of the option, such as `layers.0.block.norm.kind`.
  let path: String
  /// Its values in the two models.
  let first, second: String

  /// Compares two models; nil if they compute the same. First values, dropout and learning rates do not count.
  init?(between first: SequenceModelOptions, and second: SequenceModelOptions) {
    func json(_ options: SequenceModelOptions) -> JSONValue {
      let value = try? JSONValue(encoding: ModelOptions.sequence(options.oneSpelling))
      return value ?? .null
    }
    let (a, b) = (json(first), json(second))
    let paths = a.differences(from: b).filter { path in
      !path.split(separator: ".").contains { Self.ofTraining.contains(String($0)) }
    }
    guard let path = paths.first else { return nil }
    self.path = path
    self.first = Self.words(a, at: path)
    self.second = Self.words(b, at: path)
  }

  /// The keys of options that change training alone.
  private static let ofTraining: Set = [
    "dropout", "input_dropout", "embedding_dropout", "weight_dropout", "variational", "recurrent",
    "initializer", "embedding_initializer", "output_initializer", "output_bias_initializer",
    "embedding_rate", "output_rate", "rate", "frozen", "mup_base", "output_variance",
    "shift_exponent", "up_bound", "layer_index", "layer_count",
  ]

  private static func words(_ value: JSONValue, at path: String) -> String {
    var value = value
    for key in path.split(separator: ".") {
      if case .array(let elements) = value, let index = Int(key), elements.indices.contains(index) {
        value = elements[index]
      } else {
        value = value[String(key)] ?? .null
      }
    }
    switch value {
    case .array(let elements): return "a list of \(elements.count)"
    case .null: return "none"
    case .string(let text): return text
    default:
      return String(decoding: (try? JSONValue.encoder().encode(value)) ?? .init(), as: UTF8.self)
    }
  }
}

extension SequenceModelOptions {
  /// The options with one spelling for what a configuration can say in two ways.
  fileprivate var oneSpelling: SequenceModelOptions {
    var options = self
    if options.embeddingScale == .factor(1) { options.embeddingScale = nil }
    guard let width = embedding else { return options }
    options.changeBlocks { _, block in
      block.mixer.outProjection =
        block.mixer.outProjection ?? (block.mixer.options.output != width)
      guard var mlp = block.mlp else { return }
      mlp.factor = Double(mlp.width(of: width)) / Double(width)
      mlp.round = 1
      block.mlp = mlp
    }
    return options
  }
}
