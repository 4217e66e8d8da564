public import LinearAlgebra

/// The distinct symbols of a window, and the index of each row's symbol among them.
///
/// A window of 128 steps of 64 streams of bytes has 8192 rows and about a hundred distinct symbols.
/// A computation that depends on the symbol only is done once per distinct symbol. Finding them
/// takes time and memory proportional to the rows, not to the vocabulary.
public final class DistinctSymbols: @unchecked Sendable {
  /// The symbols in the order in which the window first reads them; `count` of them are in use.
  public let symbols: Buffer<Int32>
  /// For each row, the index of its input in `symbols`.
  public let places: Buffer<Int32>
  /// `places` with each stream reversed within its true length; valid after `reverse`.
  package let reversedPlaces: Buffer<Int32>
  public private(set) var count = 0

  /// A hash table with open addressing (Knuth 1973, 6.4). An entry is an index in `symbols` plus
  /// one, or 0; at most half of them are in use.
  private let slots: Buffer<Int32>
  private let shift: UInt32

  /// Allocates memory for windows of up to `rows` rows.
  init(rows: Int) {
    symbols = Buffer(count: rows)
    places = Buffer(count: rows)
    reversedPlaces = Buffer(count: rows)
    var bits: UInt32 = 1
    while 1 << bits < 2 * rows { bits += 1 }
    slots = Buffer(count: 1 << bits)
    shift = 32 - bits
  }

  /// Reverses each stream within its length L: step t < L reads the symbol of step L − 1 − t.
  package func reverse(lengths: Buffer<Int32>, steps: Int, streams: Int) {
    let lengths = lengths.elements(count: streams)
    let places = places.elements(count: steps * streams)
    let turned = reversedPlaces.elements(count: steps * streams)
    for t in 0..<steps {
      for s in 0..<streams {
        let length = Int(lengths[s])
        turned[t * streams + s] = places[(t < length ? length - 1 - t : t) * streams + s]
      }
    }
  }

  /// Finds the distinct symbols among the first `rows` inputs; allocates nothing.
  func find(in inputs: Buffer<Int32>, rows: Int) {
    let (inputs, slots) = (inputs.elements(count: rows), slots.elements())
    let (symbols, places) = (symbols.elements(count: rows), places.elements(count: rows))
    self.slots.clear()
    var found: Int32 = 0
    for row in 0..<rows {
      let symbol = inputs[row]
      // The high bits of a multiple by 2³²/φ spread consecutive symbols.
      var slot = Int((UInt32(bitPattern: symbol) &* 0x9E37_79B9) >> shift)
      while slots[slot] != 0 && symbols[Int(slots[slot]) - 1] != symbol {
        slot = (slot + 1) & (slots.count - 1)
      }
      if slots[slot] == 0 {
        symbols[Int(found)] = symbol
        found += 1
        slots[slot] = found
      }
      places[row] = slots[slot] - 1
    }
    count = Int(found)
  }
}
