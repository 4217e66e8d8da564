public import Configuration
public import Datasets
public import Formats
public import LinearAlgebra
public import Recurrence
public import Sequences

extension Checkpoint {
  /// The weights to use: the averaged weights if the run kept an average.
  public var bestWeights: SafetensorsFile {
    get throws(FileError) {
      return try tensors(of: hasAverage ? CheckpointFile.Name.average : CheckpointFile.Name.model)
    }
  }

  /// True if the run kept an average of its weights.
  public var hasAverage: Bool { state.files.contains { $0.name == CheckpointFile.Name.average } }

  /// Returns the vocabulary of the model's inputs.
  public func vocabulary() throws -> Vocabulary { content.vocabularies.inputs }

  /// Returns the vocabularies of the run: inputs, outputs, source and conditions.
  public func vocabularies() throws -> Dataset.Vocabularies { content.vocabularies }

  /// Returns the options of the run that made the checkpoint.
  public func options() throws -> RunOptions { content.options }

  /// Returns the inputs and outputs of the model.
  public func interface() throws -> TaskSignature { content.interface }

  /// Returns the model, of any kind, with its weights.
  /// - Parameters:
  ///   - raw: True for the weights as trained, even if the run kept an average.
  ///   - precision: The number format of products; nil for that of the run.
  ///   - noise: False for a model whose gradients have no dropout and no other random numbers.
  public func anyModel(
    raw: Bool = false, precision: Precision? = nil, noise: Bool = true
  ) throws -> (model: any Model, weights: ParameterVector) {
    let options = try options()
    let chosen = noise ? options.model : options.model.withoutNoise
    let model = chosen.makeModel(try interface(), seed: options.seed)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.precision = precision ?? options.training.precision
    let file = raw ? try tensors(of: CheckpointFile.Name.model) : try bestWeights
    try file.load(into: [("", weights)])
    return (model, weights)
  }

  /// The model with its weights, of a model that predicts the symbols that it reads.
  /// - Throws: `FileError` where it is another, too.
  public func model(
    raw: Bool = false, precision: Precision? = nil
  ) throws -> (SequenceModel, ParameterVector, Vocabulary) {
    let (model, weights) = try anyModel(raw: raw, precision: precision)
    guard let model = model as? SequenceModel, case .symbols(let count) = model.interface.input,
      model.interface.output == .symbols(count)
    else {
      throw FileError(
        .damaged, path,
        "\(path) is not a language model, which predicts the symbols that it reads: use unroll "
          + "evaluate"
      )
    }
    return (model, weights, try vocabulary())
  }
}

extension Model {
  /// A description that tells models apart that compute different things: the names and shapes of
  /// their parameters and their parts. Initialisation, dropout and learning rates are not included,
  /// because they may change from run to run.
  package var identity: String {
    let parameters = ParameterLayout(plan).entries.map { "\($0.name)\($0.shape)" }
    return (structure + parameters).joined(separator: " ")
  }
}
