/// A set of byte strings that are numbered from 0 in the order of insertion.
///
/// A hash table with open addressing over one array of bytes: looking up a slice of a text allocates
/// nothing, and strings are equal only if their bytes are.
struct SymbolTable: Sendable, Equatable {
  private var bytes: [UInt8] = []
  private var ends: [Int] = [0]
  private var slots = [Int32](repeating: -1, count: 64)

  var count: Int { ends.count - 1 }

  /// The bytes of one symbol.
  subscript(_ symbol: Int) -> ArraySlice<UInt8> { bytes[ends[symbol]..<ends[symbol + 1]] }

  static func == (a: SymbolTable, b: SymbolTable) -> Bool { a.ends == b.ends && a.bytes == b.bytes }

  /// Returns the number of a part of a text; nil if the table lacks it.
  func find(_ text: Span<UInt8>, _ range: Range<Int>) -> Int? {
    let symbol = slots[slot(text, range)]
    return symbol < 0 ? nil : Int(symbol)
  }

  /// Returns the number of a part of a text, which is added if it is new.
  mutating func insert(_ text: Span<UInt8>, _ range: Range<Int>) -> (symbol: Int, isNew: Bool) {
    let slot = slot(text, range)
    if slots[slot] >= 0 { return (Int(slots[slot]), false) }
    let symbol = count
    for i in range { bytes.append(text[i]) }
    ends.append(bytes.count)
    slots[slot] = Int32(symbol)
    if 2 * count > slots.count { grow() }
    return (symbol, true)
  }

  func find(_ symbol: some Collection<UInt8>) -> Int? {
    let symbol = Array(symbol)
    return find(symbol.span, 0..<symbol.count)
  }

  @discardableResult
  mutating func insert(_ symbol: some Collection<UInt8>) -> (symbol: Int, isNew: Bool) {
    let symbol = Array(symbol)
    return insert(symbol.span, 0..<symbol.count)
  }

  /// Adds the symbol of the next number under its spelling, or, if that is empty or there already, under
  /// a spelling that tells the number.
  mutating func insertUnique(_ spelling: [UInt8], _ number: Int) {
    if !spelling.isEmpty, insert(spelling).isNew { return }
    var name = "<\(number)>"
    while !insert(name.utf8).isNew { name = "<\(name)>" }
  }

  /// Returns the place of the string, or the free place where it belongs.
  private func slot(_ text: Span<UInt8>, _ range: Range<Int>) -> Int {
    var fingerprint = Fingerprint()
    for i in range { fingerprint.add(text[i]) }
    var slot = place(fingerprint.value)
    while slots[slot] >= 0, !isEqual(Int(slots[slot]), text, range) {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func place(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash ^ (hash >> 32)) & (slots.count - 1)
  }

  private func isEqual(_ symbol: Int, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let start = ends[symbol]
    guard ends[symbol + 1] - start == range.count else { return false }
    for i in 0..<range.count where bytes[start + i] != text[range.lowerBound + i] { return false }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: 2 * slots.count)
    for symbol in 0..<count {
      var fingerprint = Fingerprint()
      for byte in self[symbol] { fingerprint.add(byte) }
      var slot = place(fingerprint.value)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(symbol)
    }
  }
}
