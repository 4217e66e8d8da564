/// A rule that cuts text into the words inside which bytes are merged: one of the regular expressions
/// in use, written out.
struct PreTokenizer: Sendable, Equatable {
  enum Pattern: Sendable {
    /// The whole text is one word.
    case whole
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` of GPT-2 (Radford et
    /// al., 2019).
    case gpt2
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
    /// `\s*[\r\n]+|\s+(?!\S)|\s+` of cl100k.
    case cl100k
  }

  var pattern: Pattern
  /// The digits of the longest number of cl100k's pattern.
  var digits = 3
  /// White space at the end of a text is one word, line ends among it, as in `\s++$|\s*[\r\n]`.
  var endIsWhole = false

  /// The regular expressions that are known, as files spell them.
  init?(regularExpression: String) {
    switch regularExpression {
    case #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
      #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
      #"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"#:
      self.init(.gpt2)
    case Self.long("\\p{N}{1,3}"): self.init(.cl100k)
    case Self.long("\\p{N}"): self.init(.cl100k, digits: 1)
    case #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"#
      + #"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"#:
      self.init(.cl100k, endIsWhole: true)
    default: return nil
    }
  }

  init(_ pattern: Pattern, digits: Int = 3, endIsWhole: Bool = false) {
    self.pattern = pattern
    self.digits = digits
    self.endIsWhole = endIsWhole
  }

  private static func long(_ number: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + number
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// Returns the end of the word that starts at `i`.
  @inline(__always)
  func wordEnd(
    _ text: Span<UInt8>, _ i: Int, _ end: Int, _ classes: borrowing [UInt8]
  ) -> Int {
    switch pattern {
    case .gpt2: gpt2End(text, i, end, classes)
    case .cl100k: cl100kEnd(text, i, end, classes)
    case .whole: end
    }
  }

  @inline(__always)
  private func gpt2End(
    _ text: Span<UInt8>, _ i: Int, _ end: Int, _ classes: borrowing [UInt8]
  ) -> Int {
    let first = text[i]
    if first == UInt8(ascii: "'") {
      let length = contraction(text, i, end, ignoringCase: false)
      if length > 0 { return i + length }
    }
    var start = i
    if first == UInt8(ascii: " "), i + 1 < end { start = i + 1 }
    let (kind, length) = classify(text, start, end, classes)
    if kind == ScalarClass.space { return spaceEnd(text, i, end, classes) }
    return runEnd(text, start + length, end, kind, classes)
  }

  private func cl100kEnd(
    _ text: Span<UInt8>, _ i: Int, _ end: Int, _ classes: borrowing [UInt8]
  ) -> Int {
    let first = text[i]
    if first == UInt8(ascii: "'") {
      let length = contraction(text, i, end, ignoringCase: true)
      if length > 0 { return i + length }
    }
    let (kind, length) = classify(text, i, end, classes)
    if kind == ScalarClass.letter { return runEnd(text, i + length, end, kind, classes) }
    if kind == ScalarClass.number {
      var (j, count) = (i + length, 1)
      while j < end, count < digits {
        let next = classify(text, j, end, classes)
        if next.class != kind { break }
        j += next.length
        count += 1
      }
      return j
    }
    if first != newline, first != carriageReturn, i + length < end {
      let next = classify(text, i + length, end, classes)
      if next.class == ScalarClass.letter {
        return runEnd(text, i + length + next.length, end, next.class, classes)
      }
    }
    var start = i
    if first == UInt8(ascii: " "), i + 1 < end { start = i + 1 }
    let (mark, markLength) = classify(text, start, end, classes)
    if mark == ScalarClass.other {
      var j = runEnd(text, start + markLength, end, mark, classes)
      while j < end, text[j] == newline || text[j] == carriageReturn { j += 1 }
      return j
    }
    return lineAndSpaceEnd(text, i, end, classes)
  }

  /// Returns the end of a run of one class.
  @inline(__always)
  private func runEnd(
    _ text: Span<UInt8>, _ start: Int, _ end: Int, _ kind: UInt8, _ classes: borrowing [UInt8]
  ) -> Int {
    var i = start
    while i < end {
      let (next, length) = classify(text, i, end, classes)
      if next != kind { break }
      i += length
    }
    return i
  }

  /// Returns the end of white space (`\s+(?!\S)|\s+`): the last scalar before a word is left to it.
  private func spaceEnd(
    _ text: Span<UInt8>, _ start: Int, _ end: Int, _ classes: borrowing [UInt8]
  ) -> Int {
    var (i, last) = (start, start)
    while i < end {
      let (kind, length) = classify(text, i, end, classes)
      if kind != ScalarClass.space { return last > start ? last : i }
      last = i
      i += length
    }
    return end
  }

  /// Returns the end of white space that is cut behind its last end of a line.
  private func lineAndSpaceEnd(
    _ text: Span<UInt8>, _ start: Int, _ end: Int, _ classes: borrowing [UInt8]
  ) -> Int {
    var (i, last, line) = (start, start, start)
    while i < end {
      let (kind, length) = classify(text, i, end, classes)
      if kind != ScalarClass.space { break }
      if text[i] == newline || text[i] == carriageReturn { line = i + 1 }
      last = i
      i += length
    }
    if i == end, endIsWhole { return end }
    if line > start { return line }
    return i == end ? end : last > start ? last : i
  }

  /// Returns the number of bytes of 's, 't, 'm, 'd, 're, 've or 'll at `i`, or 0.
  private func contraction(
    _ text: Span<UInt8>, _ i: Int, _ end: Int, ignoringCase: Bool
  ) -> Int {
    func letter(_ k: Int) -> UInt8 {
      guard i + k < end else { return 0 }
      let byte = text[i + k]
      return ignoringCase && byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }
    switch (letter(1), letter(2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return 3
    // The long s, whose capital is that of s.
    case (0xC5, 0xBF) where ignoringCase: return 3
    default: return 0
    }
  }
}
