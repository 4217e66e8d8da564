public import Sequences

/// A model as described in a configuration: layers over the steps of sequences, or a cell over the
/// nodes of trees.
///
///     model:
///       embedding: 200
///       layers:
///         - {cell: lstm, hidden: 200}
///         - {cell: gru, hidden: 160}
///       dropout: 0.2
///
/// A configuration and a checkpoint hold it as the keys of one section, `ModelSection`.
public enum ModelOptions: Equatable, Sendable {
  case sequence(SequenceModelOptions)
  case tree(TreeModelOptions)
}

extension ModelOptions {
  /// The options of a model of sequences; nil for trees.
  public var sequence: SequenceModelOptions? {
    if case .sequence(let options) = self { options } else { nil }
  }

  /// The options of a model of trees; nil for sequences.
  public var tree: TreeModelOptions? {
    if case .tree(let options) = self { options } else { nil }
  }

  /// The layers over time; empty for a model of trees.
  public var layers: [LayerOptions] { sequence?.layers ?? [] }

  /// The options of the output layer.
  public var output: OutputOptions {
    switch self {
    case .sequence(let options): options.output
    case .tree(let options): options.output
    }
  }

  /// The way in which the model predicts the end of a sequence; `symbol` for a model of trees.
  public var end: EndOfSequence { sequence?.end ?? .symbol }

  /// The same model of sequences without anything that training samples; a model of trees as it is.
  package var withoutNoise: ModelOptions {
    sequence.map { .sequence($0.withoutNoise) } ?? self
  }

  /// Makes the model of these options for data with the given signature.
  /// - Parameters:
  ///   - interface: The signature of the data, which decides the inputs and the outputs.
  ///   - seed: The key of dropout; `ParameterVector.initialize` samples initial weights.
  ///   - objective: The terms that training adds to the cross-entropy.
  ///   - ranks: The rank of each output symbol by its frequency, for initial weights; nil for its
  ///     index.
  public func makeModel(
    _ interface: TaskSignature, seed: UInt64, objective: TrainingObjective = TrainingObjective(),
    ranks: [Int32]? = nil
  ) -> any Model {
    switch self {
    case .sequence(let options):
      SequenceModel(
        options, interface: interface, seed: seed, objective: objective, ranks: ranks)
    case .tree(let options):
      TreeModel(options, interface: interface, seed: seed, objective: objective)
    }
  }

  /// Returns why these options do not fit data with the given signature, or nil if they fit.
  public func incompatibility(with interface: TaskSignature) -> String? {
    switch self {
    case .sequence(let options): options.incompatibility(with: interface)
    case .tree(let options): options.incompatibility(with: interface)
    }
  }
}

extension ModelOptions: Codable {
  public init(from decoder: any Decoder) throws {
    self = try ModelSection(from: decoder).options
  }

  public func encode(to encoder: any Encoder) throws {
    try ModelSection(self).encode(to: encoder)
  }
}
