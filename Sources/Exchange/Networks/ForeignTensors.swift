internal import Checkpointing
package import Formats
package import Recurrence

extension ForeignNetwork {
  /// Returns the tensors of a model's file. Numbers that are the same in the same order stay where they are.
  package static func tensors(
    of model: ForeignModel, _ weights: ParameterVector
  ) -> [Tensor] {
    let layout = weights.layout
    func entry(_ name: String) -> ParameterLayout.Entry {
      guard let entry = layout.entry(named: name) else {
        preconditionFailure("\(self) names \(name), which its model lacks")
      }
      return entry
    }
    func values(_ name: String) -> NamedTensor {
      NamedTensor(entry(name).shape, Array(weights.elements(of: entry(name))))
    }
    return rules(for: model).filter(\.isWritten).map { rule in
      if let same = rule.form.sameNumbers {
        let shape = rule.form.shape { entry($0).shape }
        return Tensor(rule.name, shape: shape, weights.buffer, from: entry(same).offset)
      }
      let made = rule.form.make(values)
      return Tensor(rule.name, shape: made.shape, copying: made.values)
    }
  }

  /// Returns the parameters of a model that a file holds, under the names here.
  /// - Throws: `FileError` with all tensors that are missing, unexpected or of another shape in one sentence.
  package static func parameters(
    of model: ForeignModel, in content: ForeignContent
  ) throws(FileError) -> [Tensor] {
    let layout = ParameterLayout(
      SequenceModel(model.options, vocabulary: model.vocabulary, seed: 0).plan)
    let shapes = Dictionary(uniqueKeysWithValues: layout.entries.map { ($0.name, $0.shape) })
    let own = { (name: String) -> [Int] in shapes[name]! }
    let rules = rules(for: model)
    try check(content, rules, own)
    var found: [String: NamedTensor] = [:]
    for rule in rules where rule.presence.isRequired {
      let tensor = content[rule.name]!
      do throws(TensorForm.OutOfRange) {
        try rule.form.undo(NamedTensor(tensor.shape, tensor.floats!), own, into: &found)
      } catch {
        throw FileError(
          .damaged, content.path,
          "\(content.path) holds \(rule.name) with numbers that are not \(error.expected): use "
            + "another copy")
      }
    }
    for rule in rules {
      guard case .repeated = rule.presence, let tensor = content[rule.name] else { continue }
      guard rule.form.make({ found[$0]! }).values == tensor.floats! else {
        throw FileError(
          .damaged, content.path,
          "\(content.path) says that \(rule.name) repeats another tensor, and has other numbers: "
            + "use another copy")
      }
    }
    return layout.entries.map { entry in
      Tensor(entry.name, shape: entry.shape, copying: found[entry.name]!.values)
    }
  }

  /// Refuses a file whose tensors are not those of the rules.
  private static func check(
    _ content: ForeignContent, _ rules: [TensorRule], _ own: (String) -> [Int]
  ) throws(FileError) {
    var misfits = Misfits()
    var isUsed: [String: Bool] = [:]
    for rule in rules {
      let isRead =
        switch rule.presence {
        case .required, .repeated: true
        case .unused, .ignored: false
        }
      isUsed[rule.name] = isRead
      guard let tensor = content[rule.name] else {
        if rule.presence.isRequired { misfits.missing.append(rule.name) }
        continue
      }
      guard isRead else { continue }
      let shape = rule.form.shape(own)
      if tensor.shape != shape {
        misfits.wrong.append("\(rule.name) as \(tensor.shape) and not \(shape)")
      } else if ![.float32, .float64, .float16, .bfloat16].contains(tensor.type) {
        misfits.wrong.append(
          "\(rule.name) as \(tensor.type.rawValue) and not a floating-point type")
      }
    }
    misfits.unexpected = content.tensors.map(\.name).filter { isUsed[$0] == nil }
    let what = content.container.describesItself ? "it describes" : "it seems to be"
    if let error = misfits.error(
      content.path, of: "the \(name) that \(what)", advice: "use a whole file")
    {
      throw error
    }
  }
}
