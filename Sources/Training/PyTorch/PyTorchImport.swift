internal import Glibc
public import Recurrence

extension SafetensorsFile {
  /// Fills a model's weights from a file with PyTorch's names: one that this program or PyTorch wrote.
  ///
  /// Every name and shape must be right, and all weights change or none. Of a tied matrix either name
  /// or both may be there. Biases that the model is made without may be there if they are zero.
  /// - Throws: `CheckpointError`, with everything that does not fit in one sentence.
  public func load(
    _ model: any Model, into weights: ParameterVector
  ) throws(CheckpointError) {
    func refuse(_ reason: String) -> CheckpointError {
      CheckpointError(.damaged, path, "\(path) does not fit this model: it \(reason)")
    }
    var others: Set<String> = []
    for bias in model.biasesLeftOut {
      guard let tensor = self[bias.name] else { continue }
      guard try values(bias.name, as: Float.self).allSatisfy({ $0 == 0 }) else {
        let key =
          bias.name == "decoder.bias" ? "model.output_bias to true" : "the layer's biases to 2"
        throw refuse("holds a \(bias.name) other than zero, which the model is without; set \(key)")
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

extension Tensor {
  /// Whether another tensor has the same type, shape and bytes.
  fileprivate func hasSameElements(as other: Tensor) -> Bool {
    guard type == other.type, shape == other.shape else { return false }
    guard let first = memory.baseAddress, let second = other.memory.baseAddress else { return true }
    return memcmp(first, second, memory.count) == 0
  }
}
