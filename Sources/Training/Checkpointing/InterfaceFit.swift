internal import Datasets
internal import Formats
internal import Recurrence

extension TaskSignature {
  /// Says whether data of such a configuration can have this interface.
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
    // Where outputs are symbols, one of them says the end.
    return ends == nil || ends?.symbol == (readsItsOutputs ? inputs.end.map { Int($0) } : nil)
  }

  /// Says whether files that say so of sequences lead to this interface's conditions.
  private func knows(_ options: ConditionOptions?, _ found: ConditionFields?) -> Bool {
    guard let options, let found else {
      return options == nil && found == nil && !isConditioned
    }
    guard found.classes.count == options.classes.count else { return false }
    // Of a table without named columns, all are numbers.
    return options.classes.isEmpty && options.numbers.isEmpty
      || condition == options.numbers.count
  }

  /// Says whether such a source leads to frames of this interface's width, or to none.
  private func encodes(_ source: SourceOptions?) -> Bool {
    switch source?.frames {
    case .table(let columns): sourceFrames == columns.inputs.count
    case .arrays: sourceFrames > 0
    case nil: sourceFrames == 0
    }
  }
}
