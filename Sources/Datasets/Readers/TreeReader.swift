/// A reader of trees, one per line: `(label child child …)` or `(label word)`, as in the Stanford
/// Sentiment Treebank (Socher 2013). Blank lines are skipped.
struct TreeReader {
  func read(
    _ text: Span<UInt8>, _ line: Line, _ records: inout Records
  ) throws(DataError) {
    guard !text.isBlank(line.content) else { return }
    var tree = Tree()
    /// The open brackets, each with the index of its first word.
    var open: [Tree.Node] = []
    var words = 0
    var rest = line.content
    while let (token, after) = Self.token(text, rest) {
      rest = after..<rest.upperBound
      switch text[token.lowerBound] {
      case UInt8(ascii: "("):
        guard let (label, end) = Self.token(text, rest), !Self.isBracket(text[label.lowerBound])
        else { throw records.refusal("has a bracket without a label: write (label …)") }
        guard tree.nodes.isEmpty || !open.isEmpty, open.last?.word == nil else {
          throw records.refusal("has a bracket after a word or a tree: write one tree per line")
        }
        open.append(
          Tree.Node(
            label: Int32(records.labels.insert(text, label).symbol), word: nil, children: [],
            words: words..<words))
        rest = end..<rest.upperBound
      case UInt8(ascii: ")"):
        guard var node = open.popLast() else {
          throw records.refusal("closes a bracket that is not open: remove it")
        }
        guard node.word != nil || !node.children.isEmpty else {
          throw records.refusal("has a bracket with neither a word nor children: write one")
        }
        node.words = node.words.lowerBound..<words
        if let parent = open.indices.last { open[parent].children.append(tree.nodes.count) }
        tree.nodes.append(node)
      default:
        guard let leaf = open.indices.last, open[leaf].children.isEmpty, open[leaf].word == nil
        else {
          throw records.refusal(
            "has '\(string(text, token))' where no word can be: write (label word)")
        }
        open[leaf].word = Int32(records.inputs.insert(text, token).symbol)
        words += 1
      }
    }
    guard open.isEmpty else {
      throw records.refusal("leaves \(open.count) brackets open: close them")
    }
    var record = Records.Record()
    record.inputs = tree.words
    record.labels = [tree.root.label]
    record.tree = tree
    records.append(record)
  }

  private static func isBracket(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")")
  }

  /// Words can contain other white space, such as the no-break space of a fraction.
  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  /// Returns the next bracket or word, and the index after it.
  private static func token(_ text: Span<UInt8>, _ rest: Range<Int>) -> (Range<Int>, Int)? {
    var start = rest.lowerBound
    while start < rest.upperBound, isBlank(text[start]) { start += 1 }
    guard start < rest.upperBound else { return nil }
    if isBracket(text[start]) { return (start..<start + 1, start + 1) }
    var end = start
    while end < rest.upperBound, !isBracket(text[end]), !isBlank(text[end]) { end += 1 }
    return (start..<end, end)
  }
}
