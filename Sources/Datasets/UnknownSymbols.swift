/// A count of the symbols of a text that a vocabulary does not have, which a model reads as `<unk>`.
///
/// A `<unk>` that the text itself spells out counts too: the model knows as little of it.
public struct UnknownSymbols: Sendable, Equatable {
  /// The number of unknown symbols.
  public private(set) var count = 0
  /// The number of all symbols.
  public private(set) var all = 0

  public init() {}

  public var part: Double { all == 0 ? 0 : Double(count) / Double(all) }
  /// True if nothing at all is known.
  public var isAll: Bool { count == all }

  /// Counts the symbols of a text without the marks of its begin and end.
  public mutating func add(_ ids: some Collection<Int32>, _ vocabulary: Vocabulary) {
    for id in ids where id != vocabulary.begin && id != vocabulary.end {
      all += 1
      if id == vocabulary.unknown { count += 1 }
    }
  }

  public mutating func add(_ other: UnknownSymbols) {
    count += other.count
    all += other.all
  }

  /// Counts a part of the data: the inputs and the sources of an encoder. A generated task has no
  /// unknown symbols.
  public init(_ part: Split, of dataset: Dataset) {
    switch part {
    case .text, .mixture:
      all = part.count
      count =
        dataset.vocabulary.unknown.map { unknown in
          part.corpora.reduce(0) { $0 + $1.occurrences(of: unknown) }
        } ?? 0
    case .examples(let set):
      guard !set.isGenerated else { return }
      for index in 0..<set.count {
        let example = set.example(index, epoch: 1)
        add(example.inputs, dataset.vocabulary)
        if let source = dataset.source { add(example.source, source) }
      }
    }
  }

  /// A few words for a line of figures; nil if all symbols are known.
  public var words: String? {
    guard count > 0 else { return nil }
    let percent = (part * 1000).rounded() / 10
    return "\(count) of \(all) symbols unknown (\(percent) %)"
  }

  /// Returns a warning if more than a tenth of the symbols are unknown.
  /// - Parameter text: the name of the text in the sentence.
  public func warning(of text: String) -> String? {
    guard part > 0.1, let words else { return nil }
    return "in \(text) are \(words), which the model reads as <unk>: check that its language, its "
      + "case and its tokens are those of the training text"
  }
}
