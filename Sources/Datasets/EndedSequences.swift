internal import LinearAlgebra
public import Sequences

/// Sequences whose last step has end-of-sequence as its target, for models that do not predict it
/// as a symbol. It replaces the end-of-sequence symbol or, without one, is a new step whose input
/// is the last output.
public struct EndedSequences: ExampleSet {
  private let base: any ExampleSet
  private let hasSymbol: Bool

  /// - Parameter hasSymbol: True if the last target is an end-of-sequence symbol.
  init(_ base: any ExampleSet, hasSymbol: Bool) {
    self.base = base
    self.hasSymbol = hasSymbol
  }

  public var name: String { base.name }
  public var count: Int { base.count }
  public var shape: ExampleShape { base.shape }
  public var isFresh: Bool { base.isFresh }
  public var isGenerated: Bool { base.isGenerated }
  public var hash: UInt64 { base.hash }
  public var longest: (steps: Int, source: Int) { ended(base.longest) }

  public func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    ended(base.steps(of: index, epoch: epoch))
  }

  private func ended(_ length: (steps: Int, source: Int)) -> (steps: Int, source: Int) {
    (length.steps + (hasSymbol ? 0 : 1), length.source)
  }

  public func example(_ index: Int, epoch: Int) -> Example {
    var example = base.example(index, epoch: epoch)
    guard !hasSymbol, example.steps > 0 else {
      example.targets[example.targets.count - 1] = Batch.end
      return example
    }
    let width = example.values.count / example.steps
    example.frames += example.values.suffix(width)
    example.values += [Real](repeating: 0, count: width)
    example.targets.append(Batch.end)
    return example
  }
}

extension Dataset {
  /// Returns the same data for a model with a given way to predict ends.
  ///
  /// Data without ends to predict is returned unchanged; a model refuses it.
  /// - Parameters:
  ///   - end: The way in which the model predicts ends; for `symbol` nothing changes.
  ///   - known: The ends that an existing model can predict; nil for a model that is made for this
  ///     data.
  ///   - share: The rank that calls and the world size; each rank checks its share of the
  ///     sequences.
  /// - Throws: `DataError` if a sequence has no probability: if it is longer than the model can
  ///   predict, or has an end-of-sequence symbol before its end.
  public func ending(
    by end: EndOfSequence, known: TaskSignature.Ends? = nil,
    checking share: (rank: Int, world: Int) = (0, 1)
  ) throws(DataError) -> Dataset {
    guard end != .symbol else { return self }
    guard let ends = interface.ends else {
      guard known == nil else {
        throw DataError(
          "the model reads its own outputs, and the inputs of \(train.name) are not the targets of "
            + "the step before: give data like that which it was trained on")
      }
      return self
    }
    var longest = known?.longest ?? ends.longest
    if known == nil, case .length(_, let given?) = end { longest = given }
    func ended(_ part: Split) throws(DataError) -> Split {
      guard let set = part.examples else { return part }
      let most = set.longest.steps - (ends.symbol == nil ? 0 : 1)
      guard !end.isLength || most <= longest else {
        throw DataError(
          "\(set.name) has a sequence of \(most) outputs, and model.end: length predicts at most "
            + "\(longest): leave it out, train on longer ones, or raise model.longest")
      }
      let count = set.isGenerated ? 0 : set.count
      for index in stride(from: share.rank, to: count, by: share.world) {
        let example = set.example(index, epoch: 1)
        if let symbol = ends.symbol, example.targets.dropLast().contains(Int32(symbol)) {
          throw DataError(
            "sequence \(index + 1) of \(set.name) has an end-of-sequence symbol inside, which "
              + "model.end: \(end.name) never predicts there: remove it")
        }
        guard example.values.isEmpty || example.readsItsValues else {
          throw DataError(
            "sequence \(index + 1) of \(set.name) has inputs that are not the targets of the step "
              + "before, so model.end: \(end.name) cannot predict its end: remove it")
        }
      }
      return .examples(EndedSequences(set, hasSymbol: ends.symbol != nil))
    }
    var interface = interface
    interface.ends = TaskSignature.Ends(symbol: ends.symbol, longest: longest)
    return Dataset(
      vocabulary: vocabulary, outputs: outputs, source: source, conditions: conditions,
      interface: interface,
      train: try ended(train),
      valid: try valid.map { (part) throws(DataError) in try ended(part) },
      test: try test.map { (part) throws(DataError) in try ended(part) })
  }
}
