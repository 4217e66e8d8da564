public import Datasets
internal import Foundation
public import LinearAlgebra
public import Recurrence

extension Checkpoint {
  /// The weights to be used: the averaged ones where the run kept an average.
  public var bestWeights: SafetensorsFile {
    get throws(CheckpointError) {
      return try tensors(of: hasAverage ? Snapshot.File.average : Snapshot.File.model)
    }
  }

  /// Whether the run kept an average of its weights.
  public var hasAverage: Bool { state.files.contains { $0.name == Snapshot.File.average } }

  /// The symbols of the model.
  public func vocabulary() throws -> Vocabulary {
    let data = Data(try bytes(of: Snapshot.File.vocabulary))
    do {
      return try JSONDecoder().decode(Vocabulary.self, from: data)
    } catch {
      throw CheckpointError(
        .damaged, path,
        "\(path)/\(Snapshot.File.vocabulary) is no vocabulary: use another checkpoint")
    }
  }

  /// The options of the run that made it.
  public func options() throws -> RunOptions {
    do {
      return try state.configuration.decode(RunOptions.self)
    } catch {
      throw CheckpointError(
        .damaged, path,
        "\(path) has a configuration that this version cannot read (\(error)): use the version of "
          + "unroll that wrote it (\(state.software))")
    }
  }

  /// The model with its weights.
  /// - Parameters:
  ///   - raw: the weights as trained, also where the run kept an average of them.
  ///   - precision: the number format of its products; nil for that of the run.
  public func model(
    raw: Bool = false, precision: Precision? = nil
  ) throws -> (LanguageModel, ParameterVector, Vocabulary) {
    let (options, vocabulary) = (try options(), try vocabulary())
    let model = LanguageModel(options.model, vocabulary: vocabulary.count, seed: options.seed)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.precision = precision ?? options.training.precision
    let file = raw ? try tensors(of: Snapshot.File.model) : try bestWeights
    try file.load(into: [("", weights)])
    return (model, weights, vocabulary)
  }
}

extension LanguageModel {
  /// Tells apart models that compute different things: by the names and shapes of their parameters and
  /// by what their layers are. How they are drawn, dropped and learnt may change from run to run.
  var identity: String {
    let layers = options.layers.map { layer in
      let bare = try? JSONValue.encoder().encode(
        LayerOptions(layer.kind, residual: layer.residual, surroundings: layer.surroundings))
      return String(decoding: bare ?? Data(), as: UTF8.self)
    }
    let parameters = ParameterLayout(plan).entries.map { "\($0.name)\($0.shape)" }
    return (layers + parameters).joined(separator: " ")
  }
}
