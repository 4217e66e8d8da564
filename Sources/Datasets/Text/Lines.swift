/// One line of a text: its content, and the start of the next line.
struct Line {
  var content: Range<Int>
  var end: Int

  /// The line with its line ending.
  var whole: Range<Int> { content.lowerBound..<end }
  var hasEndMark: Bool { end > content.upperBound }
}

/// An iterator over the lines of a text; the last line may lack its line ending.
struct LineScanner {
  /// True if "\r" and "\r\n" end a line too, as in a file that Python reads as text.
  let universal: Bool
  var position = 0

  init(universal: Bool, position: Int = 0) {
    self.universal = universal
    self.position = position
  }

  mutating func next(in text: Span<UInt8>) -> Line? {
    guard position < text.count else { return nil }
    let start = position
    var i = start
    while i < text.count {
      let byte = text[i]
      if byte == newline || (byte == carriageReturn && universal) { break }
      i += 1
    }
    var end = min(i + 1, text.count)
    if i < text.count, text[i] == carriageReturn, end < text.count, text[end] == newline {
      end += 1
    }
    position = end
    return Line(content: start..<i, end: end)
  }
}

/// An iterator over the words of a line, which white space separates.
struct WordScanner {
  var rest: Range<Int>

  init(_ range: Range<Int>) { rest = range }

  mutating func next(in text: Span<UInt8>) -> Range<Int>? {
    var start = rest.lowerBound
    while start < rest.upperBound {
      let space = whiteSpaceLength(text, start)
      if space == 0 { break }
      start += space
    }
    guard start < rest.upperBound else { return nil }
    var end = start
    while end < rest.upperBound, whiteSpaceLength(text, end) == 0 {
      end += characterLength(text[end])
    }
    // Bytes that are no UTF-8 may end in the midst of a character.
    end = min(end, rest.upperBound)
    rest = end..<rest.upperBound
    return start..<end
  }
}
