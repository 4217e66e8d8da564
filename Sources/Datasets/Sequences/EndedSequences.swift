internal import LinearAlgebra
public import Recurrence

/// Sequences whose last step asks for the end by itself, for models that do not say it by a symbol:
/// in place of the symbol that stood there, or else after the last output, which that step reads.
public struct EndedSequences: ExampleSet {
  private let base: any ExampleSet
  private let hasSymbol: Bool

  /// - Parameter hasSymbol: whether the last output stands for the end.
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
  /// The same data for a model that says in some way where sequences end.
  ///
  /// Data whose sequences have no end to be predicted stays as it is; a model refuses it.
  /// - Parameters:
  ///   - longest: the most outputs whose number is predicted; nil for those of the longest sequence
  ///     to train on.
  ///   - known: what a model that is there already knows of ends; nil for one that is to be made
  ///     for this data.
  ///   - share: which sequences are checked here, those of so many ranks being checked by one each.
  /// - Throws: `DataError` where a sequence can have no probability: one that is longer than any
  ///   length that is predicted, or one with the symbol for the end inside.
  public func ending(
    by end: EndOfSequence, longest: Int? = nil, known: TaskSignature.Ends? = nil,
    checking share: (rank: Int, world: Int) = (0, 1)
  ) throws(DataError) -> Dataset {
    guard end != .symbol else { return self }
    guard let ends = interface.ends else {
      guard known == nil else {
        throw DataError(
          "the model reads what it has predicted until the end, and in \(train.name) the steps read "
            + "something else: give data like that which it was trained on")
      }
      return self
    }
    let longest = known?.longest ?? longest ?? ends.longest
    func ended(_ part: Split) throws(DataError) -> Split {
      guard let set = part.examples else { return part }
      let most = set.longest.steps - (ends.symbol == nil ? 0 : 1)
      guard end != .length || most <= longest else {
        throw DataError(
          "\(set.name) has a sequence of \(most) outputs, and model.end: length predicts at most "
            + "\(longest): leave it out, train on longer ones, or raise model.longest")
      }
      let count = set.isGenerated ? 0 : set.count
      for index in stride(from: share.rank, to: count, by: share.world) {
        let example = set.example(index, epoch: 1)
        if let symbol = ends.symbol, example.targets.dropLast().contains(Int32(symbol)) {
          throw DataError(
            "sequence \(index + 1) of \(set.name) has the symbol for its end inside, which model.end: "
              + "\(end.rawValue) never predicts there: remove it")
        }
        guard example.values.isEmpty || example.readsItsValues else {
          throw DataError(
            "sequence \(index + 1) of \(set.name) does not read at each step what the step before asks "
              + "for, so it has no end that model.end: \(end.rawValue) could predict: remove it")
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
