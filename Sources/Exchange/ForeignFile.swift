public import Formats
public import Recurrence

/// A file or folder of another program that holds a network of the registry.
public struct ForeignFile: Sendable {
  public let content: ForeignContent
  /// The model that its settings describe.
  public let model: ForeignModel
  private let network: any ForeignNetwork.Type

  /// Opens a file or folder.
  /// - Returns: nil for a file that none of the containers recognises, such as one with PyTorch's names.
  /// - Throws: `FileError` for a damaged file, and for a network that is not in the registry.
  public init?(_ path: String) throws(FileError) {
    guard let container = try ForeignContainer(of: path) else { return nil }
    content = try container.read(path)
    let content = content
    let networks = foreignNetworks.filter { $0.container == container }
    guard let network = networks.first(where: { $0.recognises(content) }) else {
      let said = container.networkKey.map { key in
        if case .string(let name)? = content.configuration[key] {
          "says \(key): \(name)"
        } else {
          "has no \(key)"
        }
      }
      throw FileError(
        .damaged, path,
        "\(path) \(said ?? "has a network of another version"), and import reads "
          + "\(networks.map { $0.name }.sorted().joined(separator: ", ")): convert it first")
    }
    self.network = network
    model = try network.model(of: network.configuration(in: content))
  }

  /// The section `model` of a configuration that describes its model, as YAML on one line: that of a preset if
  /// one makes it.
  public func modelSection() throws -> String {
    if let preset = model.options.presetSection { return preset }
    let json = try JSONValue.encoder().encode(ModelOptions.sequence(model.options))
    return String(decoding: json, as: UTF8.self)
  }

  /// The name of the network, and its number of symbols, in words.
  public var words: String { "\(network.name) of \(model.vocabulary) symbols" }

  /// Refuses a configuration of another model, with the first option that differs.
  public func check(_ options: ModelOptions) throws(FileError) {
    guard let options = options.sequence else {
      throw FileError(
        .damaged, content.path,
        "\(content.path) is a model of sequences and the configuration is one of trees: leave the "
          + "section model out")
    }
    if let difference = ModelDifference(
      between: network.canonical(model.options), and: network.canonical(options))
    {
      throw FileError(
        .damaged, content.path,
        "\(content.path) does not fit this model: model.\(difference.path) is \(difference.first) "
          + "there and \(difference.second) in the configuration; leave the section model out")
    }
  }

  /// The largest number of rows without a symbol that a file may have, as padding for faster products.
  private static let mostPadding = 255

  /// Returns the weights for a model of this network, under the names here.
  /// - Parameter vocabulary: The number of symbols of the data. Rows of the file beyond it, a padding, are left
  ///   out.
  public func weights(vocabulary: Int) throws(FileError) -> SafetensorsFile {
    let padding = model.vocabulary - vocabulary
    guard (0...Self.mostPadding).contains(padding) else {
      throw FileError(
        .damaged, content.path,
        "\(content.path) has \(model.vocabulary) symbols and the data \(vocabulary): give "
          + "data.tokenizer the vocabulary that the network was trained with")
    }
    let tensors = try network.parameters(of: model, in: content).map { tensor in
      guard ["encoder.weight", "decoder.weight"].contains(tensor.name), padding > 0 else {
        return tensor
      }
      let own = NamedTensor(tensor.shape, tensor.floats!).rows(0..<vocabulary)
      return Tensor(tensor.name, shape: own.shape, copying: own.values)
    }
    return SafetensorsFile(content.path, tensors: tensors)
  }
}
