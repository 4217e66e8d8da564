internal import Checkpointing
public import Formats
public import Recurrence

extension SafetensorsFile {
  /// Fills a model's weights from a file with PyTorch's names: one that this program or PyTorch
  /// wrote.
  ///
  /// Every name and shape must be right, and all weights change or none. Of a tied matrix either
  /// name or both may be there. Biases that the model is made without may be there if they are
  /// zero. A layer whose matrices are joined is recognised by its names.
  /// - Parameters:
  ///   - model: The model that the weights belong to, which decides names and shapes.
  ///   - weights: The weights to fill, in the layout of the model.
  ///   - updateGate: The factor of the update gates of GRUs; nil for what the file says, or else
  ///     the past.
  /// - Throws: `FileError`, with everything that does not fit in one sentence.
  public func load(
    _ model: any Model, into weights: ParameterVector, updateGate: UpdateGate? = nil
  ) throws(FileError) {
    try separated(for: model, updateGate: updateGate).fill(weights, of: model)
  }

  /// Returns the file with the weights of all cells in the form of this program's models.
  private func separated(
    for model: any Model, updateGate given: UpdateGate?
  ) throws(FileError) -> SafetensorsFile {
    func refuse(_ reason: String) -> FileError {
      FileError(.damaged, path, "\(path) does not fit this model: \(reason)")
    }
    let word = metadata[UpdateGate.key]
    let said = word.flatMap(UpdateGate.init)
    if let word, said == nil {
      throw refuse("it says that its update gates multiply the '\(word)', not past or candidate")
    }
    if let given, let said, given != said {
      throw refuse(
        "it says that its update gates multiply the \(said.rawValue), and not the "
          + "\(given.rawValue); leave --update-gate out")
    }
    let layers = (model as? SequenceModel)?.cellWeights ?? []
    let joined = layers.filter { self[$0.joinedName] != nil }
    let form = WeightForm(isJoined: !joined.isEmpty, updateGate: given ?? said ?? .past)
    if form.isOfModules { return self }
    guard let model = model as? SequenceModel else {
      throw refuse("its update gates multiply the candidate, and a network over trees has none")
    }
    if let part = model.part(outside: form) {
      throw refuse(
        (form.isJoined ? "its matrices are joined" : "its update gates multiply the candidate")
          + ", and \(part)")
    }
    let names = Set(layers.flatMap(\.names))
    var changed: [String: NamedTensor] = [:]
    for tensor in tensors where names.contains(tensor.name) {
      changed[tensor.name] = NamedTensor(tensor.shape, try values(tensor.name))
    }
    var misfits = Misfits()
    for layer in joined { layer.findMisfits(changed, &misfits) }
    if let error = misfits.error(path) { throw error }
    for layer in layers where form.updateGate == .candidate && layer.hasUpdateGate {
      layer.flipUpdateGate(&changed)
    }
    for layer in joined { layer.split(&changed) }
    return SafetensorsFile(
      self, without: names,
      with: changed.map { Tensor($0.key, shape: $0.value.shape, copying: $0.value.values) })
  }

  /// Fills a model's weights from tensors with its names.
  private func fill(
    _ weights: ParameterVector, of model: any Model
  ) throws(FileError) {
    func refuse(_ reason: String) -> FileError {
      FileError(.damaged, path, "\(path) does not fit this model: it \(reason)")
    }
    var others: Set<String> = []
    for bias in model.biasesLeftOut {
      guard let tensor = self[bias.name] else { continue }
      guard try values(bias.name, as: Float.self).allSatisfy({ $0 == 0 }) else {
        let key =
          bias.name == "decoder.bias" ? "model.output_bias to true" : "the layer's biases to 2"
        throw refuse(
          "holds a \(bias.name) other than zero, which this model does not have; set "
            + "\(key)")
      }
      others.insert(tensor.name)
    }
    for (other, name) in model.tiedNames {
      guard let first = self[name], let second = self[other], first.name != second.name else {
        continue
      }
      guard first.hasSameElements(as: second) else {
        throw refuse(
          "holds a \(name) and another \(other), which the model ties; set model.tied to false")
      }
      others.insert(second.name)
    }
    if weights.layout.entry(named: "decoder.bias") != nil, self["decoder.bias"] == nil,
      self["encoder.weight"] != nil || self["decoder.weight"] != nil
    {
      throw refuse("has no decoder.bias; set model.output_bias to false")
    }
    let names = Dictionary(uniqueKeysWithValues: model.tiedNames.map { ($1, $0) })
    try load(into: [("", weights)], besides: others, otherNames: names)
  }
}
