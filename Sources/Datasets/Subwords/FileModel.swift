/// The symbols of a file as its tokenizer uses them.
protocol FileModel: AnyObject, Sendable {
  /// The bytes of the file.
  var contents: [UInt8] { get }
  /// The symbols, in the order of their numbers.
  var table: SymbolTable { get }
  /// The numbers with a meaning of their own.
  var special: SpecialNumbers { get }

  /// Hands the number of each symbol of a text to `emit`, in order.
  func encode(
    _ text: Span<UInt8>, to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError)
  /// Returns the text of symbols.
  func decode(_ ids: some Sequence<Int32>) -> [UInt8]
  /// Returns the number of bytes of text that a symbol stands for; nil if it is unknown.
  func byteLength(_ id: Int32) -> Int?
}
