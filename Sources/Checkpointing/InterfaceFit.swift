internal import Datasets
internal import Formats
internal import Recurrence
internal import Sequences

extension TaskSignature {
  /// Returns true if data of this configuration can have this signature.
  func fits(_ data: DataOptions, _ vocabularies: Dataset.Vocabularies) -> Bool {
    let inputs = vocabularies.inputs
    guard let reader = data.reader else {
      var own = data.task?.task.interface ?? TaskSignature(vocabulary: inputs.count)
      if let ends { own.ends?.longest = ends.longest }
      return own == self && vocabularies.conditions == nil
    }
    guard !isRunning, knows(reader.condition, vocabularies.conditions), encodes(reader.source)
    else { return false }
    let readsItsOutputs = reader.format == .lines || reader.format == .pairs
    if readsItsOutputs {
      guard case .symbols = input, output == .symbols(inputs.count) else { return false }
    }
    if isTree {
      guard reader.format == .trees, case .symbols = input, case .symbols = output else {
        return false
      }
    }
    // If outputs are symbols, one of them is end-of-sequence.
    return ends == nil || ends?.symbol == (readsItsOutputs ? inputs.end.map { Int($0) } : nil)
  }

  /// Returns true if these condition options lead to the conditions of this signature.
  private func knows(_ options: ConditionOptions?, _ found: ConditionFields?) -> Bool {
    guard let options, let found else {
      return options == nil && found == nil && !isConditioned
    }
    guard found.classes.count == options.classes.count else { return false }
    // In a table without named columns, all columns are numbers.
    return options.classes.isEmpty && options.numbers.isEmpty
      || condition == options.numbers.count
  }

  /// Returns true if this source leads to frames of this signature's width, or to none.
  private func encodes(_ source: SourceOptions?) -> Bool {
    switch source?.frames {
    case .table(let columns): sourceFrames == columns.inputs.count
    case .arrays: sourceFrames > 0
    case nil: sourceFrames == 0
    }
  }
}
