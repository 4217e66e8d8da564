public import Checkpointing
internal import Datasets
public import Formats
internal import LinearAlgebra
internal import Recurrence

/// A checkpoint's model in the form of another program.
public struct ForeignExport {
  public let content: ForeignContent
  /// The name of the network there, such as `mamba2`.
  public let network: String
  /// The kind of weights, as trained or averaged.
  public let weights: String
  private let vocabulary: Vocabulary
  private let metadata: [String: String]

  /// - Parameters:
  ///   - checkpoint: The checkpoint whose model is written.
  ///   - container: The form of the file.
  ///   - raw: True for the weights as trained, also where the run kept an average of them.
  /// - Throws: `FileError` where the checkpoint cannot be read, or no network of the container represents the
  ///   model.
  public init(
    _ checkpoint: Checkpoint, to container: ForeignContainer, raw: Bool = false
  ) throws {
    let (model, weights, vocabulary) = try checkpoint.model(raw: raw)
    do throws(Obstacle) {
      (network, content) = try Self.content(of: model, weights, in: container)
    } catch {
      throw FileError(
        .damaged, checkpoint.path,
        "\(checkpoint.path) cannot be exported as \(container.words), because \(error.reason): use "
          + "its model.safetensors as it is")
    }
    self.vocabulary = vocabulary
    self.weights = checkpoint.hasAverage && !raw ? "averaged" : "as trained"
    metadata = [
      "software": checkpoint.state.software, "step": String(checkpoint.state.step),
      "weights": self.weights,
    ]
  }

  /// Returns the settings and tensors of a model in some container, and the name of its network there.
  static func content(
    of model: SequenceModel, _ weights: ParameterVector, in container: ForeignContainer
  ) throws(Obstacle) -> (name: String, content: ForeignContent) {
    let network = try network(of: model, in: container)
    let (options, count) = (model.options, model.interface.output.width)
    let foreign = ForeignModel(options, vocabulary: count)
    let configuration = try network.configuration(of: foreign)
    let same: ForeignModel
    do throws(FileError) {
      same = try network.model(of: configuration)
    } catch {
      throw Obstacle("a \(network.name) there\(error.description)")
    }
    if let difference = ModelDifference(
      between: network.canonical(options), and: network.canonical(same.options))
    {
      throw Obstacle(
        "\(difference.path) is \(difference.first), and a \(network.name) there has "
          + difference.second)
    }
    let content = ForeignContent(
      "", container, configuration: configuration.values,
      tensors: network.tensors(of: foreign, weights))
    return (network.name, content)
  }

  /// Returns the network of the container whose blocks the model has.
  private static func network(
    of model: SequenceModel, in container: ForeignContainer
  ) throws(Obstacle) -> any ForeignNetwork.Type {
    let networks = foreignNetworks.filter { $0.container == container }
    let known = Set(networks.map { $0.cell }).sorted().joined(separator: " or ")
    if model.interface.isConditioned { throw Obstacle("the model reads a condition") }
    if model.options.embedding == nil { throw Obstacle("the model has no embedding") }
    var chosen: (any ForeignNetwork.Type)?
    for (index, layer) in model.options.layers.enumerated() {
      guard case .block(let block) = layer.kind else {
        throw Obstacle(
          "layer \(index) is no block, and networks there have only blocks of \(known)")
      }
      guard let network = networks.first(where: { $0.cell == block.mixer.cell }) else {
        throw Obstacle(
          "layer \(index) is a block of \(block.mixer.cell), and networks there have only blocks of "
            + known)
      }
      if let chosen, chosen.cell != network.cell {
        throw Obstacle(
          "layer \(index) is a block of \(network.cell) above blocks of \(chosen.cell), and a "
            + "network there has one kind of block")
      }
      chosen = network
    }
    guard let chosen else { throw Obstacle("the model has no layers") }
    return chosen
  }

  /// Writes the file or folder.
  /// - Returns: The files and what each holds, for the console.
  public func save(to path: String) throws(FileError) -> [String] {
    try content.container.write(content, vocabulary, metadata, to: path)
  }
}
