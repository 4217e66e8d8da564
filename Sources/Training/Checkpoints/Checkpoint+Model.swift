public import Datasets
internal import Foundation
public import Recurrence

extension Checkpoint {
  /// The weights to be used: the averaged ones where the run kept an average.
  public var bestWeights: SafetensorsFile {
    get throws(CheckpointError) {
      let hasAverage = state.files.contains { $0.name == Snapshot.File.average }
      return try tensors(of: hasAverage ? Snapshot.File.average : Snapshot.File.model)
    }
  }

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
  public func model() throws -> (LanguageModel, ParameterVector, Vocabulary) {
    let (options, vocabulary) = (try options(), try vocabulary())
    let model = LanguageModel(options.model, vocabulary: vocabulary.count, seed: options.seed)
    let weights = ParameterVector(ParameterLayout(model.plan))
    try bestWeights.load(into: [("", weights)])
    return (model, weights, vocabulary)
  }
}

extension LanguageModel {
  /// Tells models of different shapes apart.
  var hash: String {
    ParameterLayout(plan).entries.map { "\($0.name)\($0.shape)" }.joined(separator: " ")
  }
}
