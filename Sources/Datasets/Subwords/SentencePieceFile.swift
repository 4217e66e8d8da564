/// The contents of a `.model` of SentencePiece (Kudo and Richardson, 2018), checked before the library
/// gets them, which trusts some of them.
struct SentencePieceFile {
  enum Kind: UInt64 { case normal = 1, unknown, control, userDefined, unused, byte }

  struct Piece {
    var text: [UInt8] = []
    var kind = Kind.normal
  }

  /// The blank of a piece, ▁.
  static let blank: [UInt8] = [0xE2, 0x96, 0x81]

  private(set) var pieces: [Piece] = []
  private(set) var special = SpecialNumbers()
  /// A blank is put in front of every text.
  private(set) var addsBlank = true
  /// Blanks at the ends and all but one of several are removed.
  private(set) var removesBlanks = true
  /// The text of an unknown piece.
  private(set) var unknownText = Array(" \u{2047} ".utf8)
  private var modelType: UInt64 = 1
  private var hasByteFallback = false
  private var map: Range<Int>?
  private var beginPiece = Array("<s>".utf8)
  private var endPiece = Array("</s>".utf8)

  /// True for bytes that begin with a piece, or for a file called so that is a message at all.
  static func isLike(_ text: Span<UInt8>, of path: String) -> Bool {
    if path.hasSuffix(".model") { return true }
    var message = ProtocolBuffer(text.indices)
    guard text.count > 2, text[0] == 0x0A, text[2] == 0x0A,
      case (1, .bytes(let range))? = message.next(text)
    else { return false }
    var piece = ProtocolBuffer(range)
    while piece.next(text) != nil {}
    return !piece.isBroken
  }

  /// Reads a file.
  /// - Throws: `DataError` if it is damaged or of a kind that is not supported.
  init(_ text: Span<UInt8>, of path: String) throws(DataError) {
    var message = ProtocolBuffer(text.indices)
    while let (field, value) = message.next(text) {
      guard case .bytes(let range) = value else { continue }
      switch field {
      case 1: try readPiece(text, range, path)
      case 2: readTrainer(text, range)
      case 3: readNormalizer(text, range)
      case 5:
        var part = ProtocolBuffer(range)
        while case (let field, .bytes(let map))? = part.next(text) {
          guard field == 2, !map.isEmpty else { continue }
          throw DataError(
            "\(path) has rules to denormalize text, which are not supported: give a model without")
        }
      default: break
      }
    }
    guard !message.isBroken, !pieces.isEmpty else {
      throw DataError("\(path) is not a model of SentencePiece, or is damaged: give a sound .model")
    }
    try check(text, path)
  }

  /// True if the end of a line is a piece of its own, whatever is around it, so that lines can be encoded
  /// one by one.
  var isolatesLines: Bool {
    guard !removesBlanks, map == nil else { return false }
    let newlines = pieces.filter { $0.kind != .byte && $0.text.contains(newline) }
    return newlines.allSatisfy { $0.text.count == 1 && $0.kind != .unused }
      && (hasByteFallback || !newlines.isEmpty)
  }

  /// The pairs of characters that merges may join; nil if the symbols of a text are not those of its parts:
  /// unigram's sums of scores are rounded, and `<unk>` stands for several characters.
  var joints: PieceJoints? {
    guard modelType == 2, hasByteFallback, !removesBlanks, !addsBlank, map == nil,
      pieces.allSatisfy({ $0.kind != .unused })
    else { return nil }
    return PieceJoints(pieces.lazy.filter { $0.kind != .byte }.map(\.text))
  }

  private mutating func readPiece(
    _ text: Span<UInt8>, _ range: Range<Int>, _ path: String
  ) throws(DataError) {
    var message = ProtocolBuffer(range)
    var piece = Piece()
    var isSound = true
    while let (field, value) = message.next(text) {
      switch (field, value) {
      case (1, .bytes(let range)): piece.text = range.map { text[$0] }
      case (2, .float(let bits)): isSound = isSound && Float(bitPattern: bits).isFinite
      case (3, .number(let kind)):
        if let kind = Kind(rawValue: kind) { piece.kind = kind } else { isSound = false }
      default: break
      }
    }
    guard isSound, !message.isBroken, !piece.text.isEmpty,
      firstInvalidByte(of: piece.text.span) == nil, !piece.text.contains(0)
    else {
      throw DataError(
        "\(path) has a damaged piece, number \(pieces.count): give a sound .model of SentencePiece")
    }
    pieces.append(piece)
  }

  private mutating func readTrainer(_ text: Span<UInt8>, _ range: Range<Int>) {
    var message = ProtocolBuffer(range)
    while let (field, value) = message.next(text) {
      switch (field, value) {
      case (3, .number(let type)): modelType = type
      case (35, .number(let value)): hasByteFallback = value != 0
      case (44, .bytes(let range)): unknownText = range.map { text[$0] }
      case (46, .bytes(let range)): beginPiece = range.map { text[$0] }
      case (47, .bytes(let range)): endPiece = range.map { text[$0] }
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ text: Span<UInt8>, _ range: Range<Int>) {
    var message = ProtocolBuffer(range)
    while let (field, value) = message.next(text) {
      switch (field, value) {
      case (2, .bytes(let range)): map = range.isEmpty ? nil : range
      case (3, .number(let value)): addsBlank = value != 0
      case (4, .number(let value)): removesBlanks = value != 0
      default: break
      }
    }
  }

  private mutating func check(_ text: Span<UInt8>, _ path: String) throws(DataError) {
    guard modelType == 1 || modelType == 2 else {
      throw DataError(
        "\(path) is a model of words or characters: give one of the type unigram or bpe")
    }
    var seen = SymbolTable()
    for (number, piece) in pieces.enumerated() {
      guard seen.insert(piece.text).isNew else {
        throw DataError(
          "\(path) has the piece '\(String(decoding: piece.text.prefix(40), as: UTF8.self))' twice: "
            + "restore the file")
      }
      switch piece.kind {
      case .unknown:
        guard special.unknown == nil else {
          throw DataError("\(path) has two unknown pieces: restore the file")
        }
        special.unknown = Int32(number)
      case .control:
        if piece.text == beginPiece { special.begin = Int32(number) }
        if piece.text == endPiece {
          (special.end, special.endOfDocument) = (Int32(number), Int32(number))
        }
      case .byte:
        guard Self.byte(piece.text) != nil else {
          throw DataError(
            "\(path) has a damaged piece of a byte, number \(number): restore the file")
        }
      default: break
      }
    }
    guard special.unknown != nil else {
      throw DataError("\(path) has no unknown piece: restore the file")
    }
    if let map, !Self.isSound(map: map, text) {
      throw DataError("\(path) has a damaged table of characters: restore the file")
    }
  }

  /// Returns the byte of a piece such as `<0x0A>`.
  static func byte(_ piece: [UInt8]) -> UInt8? {
    guard piece.count == 6, piece.starts(with: "<0x".utf8), piece[5] == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
  }

  /// Checks that no path through the double array (Aoe, 1989) of the characters' forms leaves it, nor any
  /// form the list of forms.
  private static func isSound(map: Range<Int>, _ text: Span<UInt8>) -> Bool {
    func word(_ offset: Int) -> UInt32 {
      var value: UInt32 = 0
      for k in 0..<4 { value |= UInt32(text[map.lowerBound + offset + k]) << UInt32(8 * k) }
      return value
    }
    guard map.count > 4 else { return false }
    let size = Int(word(0))
    guard size % 4 == 0, size >= 1024, size < map.count - 4, text[map.upperBound - 1] == 0 else {
      return false
    }
    let (count, forms) = (size / 4, map.count - 4 - size)
    for i in 0..<count {
      let unit = word(4 + 4 * i)
      if unit >> 31 == 1 {
        if Int(unit & 0x7FFF_FFFF) >= forms { return false }
      } else {
        let offset = Int(unit >> 10) << Int((unit & 0x200) >> 6)
        if (i ^ offset) | 0xFF >= count { return false }
      }
    }
    return true
  }
}
