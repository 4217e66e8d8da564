public import Configuration
public import Datasets
public import Formats
public import LinearAlgebra
public import Recurrence

extension Checkpoint {
  /// The weights to be used: the averaged ones where the run kept an average.
  public var bestWeights: SafetensorsFile {
    get throws(FileError) {
      return try tensors(of: hasAverage ? CheckpointFile.Name.average : CheckpointFile.Name.model)
    }
  }

  /// Whether the run kept an average of its weights.
  public var hasAverage: Bool { state.files.contains { $0.name == CheckpointFile.Name.average } }

  /// The symbols that the model reads.
  public func vocabulary() throws -> Vocabulary { content.vocabularies.inputs }

  /// The symbols of the run: those that are read, predicted and encoded, and what is known of
  /// sequences.
  public func vocabularies() throws -> Dataset.Vocabularies { content.vocabularies }

  /// The options of the run that made it.
  public func options() throws -> RunOptions { content.options }

  /// What the model reads and predicts.
  public func interface() throws -> TaskSignature { content.interface }

  /// The model with its weights, whatever it is.
  /// - Parameters:
  ///   - raw: the weights as trained, also where the run kept an average of them.
  ///   - precision: the number format of its products; nil for that of the run.
  public func anyModel(
    raw: Bool = false, precision: Precision? = nil
  ) throws -> (model: any Model, weights: ParameterVector) {
    let options = try options()
    let model = options.model.makeModel(try interface(), seed: options.seed)
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
        "\(path) is no language model, which predicts the symbols that it reads: use unroll evaluate"
      )
    }
    return (model, weights, try vocabulary())
  }
}

extension Model {
  /// Tells apart models that compute different things: by the names and shapes of their parameters and
  /// by what their parts are. How they are drawn, dropped and learnt may change from run to run.
  var identity: String {
    let parameters = ParameterLayout(plan).entries.map { "\($0.name)\($0.shape)" }
    return (structure + parameters).joined(separator: " ")
  }
}
