public import Checkpointing
internal import Datasets
public import Formats
internal import LinearAlgebra
internal import Recurrence

/// A checkpoint's weights in the form that PyTorch's `load_state_dict(strict=True)` takes, or in
/// another form.
///
/// Names, shapes and the order of gates are PyTorch's already. A tied matrix is written under both
/// of its names, and a bias that the model lacks as zeros.
public struct PyTorchExport {
  public let tensors: [Tensor]
  /// The metadata of the file: the program, the step, the kind of weights, and the model's options.
  public let metadata: [String: String]
  private let vocabularies: Dataset.Vocabularies

  /// - Parameters:
  ///   - checkpoint: The checkpoint whose weights are written.
  ///   - raw: True for the weights as trained, also where the run kept an average of them.
  ///   - form: The form of the cells' weights; without one it is that of PyTorch's modules.
  /// - Throws: `FileError` where the checkpoint cannot be read, or the form cannot say the
  ///   model.
  public init(
    _ checkpoint: Checkpoint, raw: Bool = false, form: WeightForm = WeightForm()
  ) throws {
    let (model, weights, _) = try checkpoint.model(raw: raw)
    vocabularies = try checkpoint.vocabularies()
    if let part = model.part(outside: form) {
      throw FileError(
        .damaged, checkpoint.path,
        "\(checkpoint.path) cannot be exported, because \(part): use its model.safetensors as it is"
      )
    }
    var tensors = weights.tensors()
    for (other, name) in model.tiedNames {
      guard let entry = weights.layout.entry(named: name) else { continue }
      tensors.append(Tensor(other, shape: entry.shape, weights.buffer, from: entry.offset))
    }
    for bias in model.biasesLeftOut {
      tensors.append(Tensor(bias.name, shape: [bias.count], Buffer<Real>(count: bias.count)))
    }
    self.tensors = form.isOfModules ? tensors : Self.change(tensors, of: model, to: form)
    var metadata = try ExportMetadata(checkpoint, model, raw: raw).entries
    metadata["format"] = "pt"
    if form.updateGate != .past { metadata[UpdateGate.key] = form.updateGate.rawValue }
    self.metadata = metadata
  }

  /// Returns the tensors with the weights of cells in another form.
  private static func change(
    _ tensors: [Tensor], of model: SequenceModel, to form: WeightForm
  ) -> [Tensor] {
    let layers = model.cellWeights
    let names = Set(layers.flatMap(\.names))
    var changed: [String: NamedTensor] = [:]
    for tensor in tensors where names.contains(tensor.name) {
      changed[tensor.name] = NamedTensor(tensor.shape, Array(tensor.view(as: Float.self)!))
    }
    for layer in layers {
      if form.isJoined { layer.join(&changed) }
      if form.updateGate == .candidate, layer.hasUpdateGate { layer.flipUpdateGate(&changed) }
    }
    return tensors.filter { !names.contains($0.name) }
      + changed.map { Tensor($0.key, shape: $0.value.shape, copying: $0.value.values) }
  }

  /// Writes the vocabularies beside a file of weights, as a checkpoint stores them.
  /// - Returns: The files and the number of symbols in each; empty for a model without symbols.
  public func saveVocabularies(beside path: String) throws -> [(file: String, symbols: Int)] {
    try vocabularies.save(beside: path)
  }

  /// Writes the file in one step: it is complete under its name, or the old file is still there.
  public func save(to path: String) throws(FileError) {
    try requireFile(path)
    try namingFile(path) { () throws(FileError) in
      try Safetensors.save(tensors, metadata: metadata, to: path)
    }
  }
}
