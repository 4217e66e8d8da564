/// Bytes, of whatever text. The number of a symbol is the byte's value.
public struct ByteTokenizer: Tokenizer {
  public init() {}

  public var name: String { "byte" }
  public var unit: LossUnit { .bitsPerByte }
  public var readsBytes: Bool { true }
  public var fixedVocabulary: Vocabulary? { .bytes }

  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    for i in text.indices { try emit(Int32(text[i])) }
  }

  public func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    ids.map { UInt8($0) }
  }
}

extension Tokenizer where Self == ByteTokenizer {
  public static var byte: ByteTokenizer { ByteTokenizer() }
}

extension Vocabulary {
  /// All 256 bytes.
  public static let bytes: Vocabulary = {
    var table = SymbolTable()
    for byte in UInt8.min...UInt8.max { table.insert(CollectionOfOne(byte)) }
    return Vocabulary(ByteTokenizer(), table: table)
  }()
}
