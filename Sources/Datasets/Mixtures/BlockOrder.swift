internal import LinearAlgebra

/// The blocks of a corpus in the order in which the streams of a mixture read them.
///
/// N symbols are cut into n = ⌊N/B⌋ blocks, at least one. Block b begins at the first document in
/// [bB, (b + 1)B), or at bB if none begins there; so blocks are whole documents where these are shorter than
/// B, and less than 2B symbols (the last: 3B). In pass p over the corpus, the blocks are read in the order
/// π_p(0), π_p(1), …: a permutation that depends on the seed and p only, and that is computed, not stored.
struct BlockOrder {
  private let corpus: Corpus
  /// The symbols between the nominal starts of blocks: B.
  let size: Int
  /// The number of blocks.
  let count: Int
  private let random: Philox?
  /// The bits of one of the two halves of a permuted number.
  private let bits: Int

  /// The most symbols between the nominal starts of blocks, and the fewest.
  static let sizes = 32...65_536

  /// - Parameters:
  ///   - streams: The streams that share the corpus: there are at least four blocks for each, if these
  ///     can have the least size.
  ///   - seed: The seed of the permutations; nil for the order of the corpus.
  ///   - number: The number of the corpus in its mixture.
  init(_ corpus: Corpus, streams: Int, seed: UInt64?, number: Int) {
    self.corpus = corpus
    size = min(max(corpus.count / (4 * streams), Self.sizes.lowerBound), Self.sizes.upperBound)
    count = max(corpus.count / size, 1)
    random = seed.map { Philox(seed: $0, name: "blocks of corpus \(number)") }
    var bits = 1
    while 1 << (2 * bits) < count { bits += 1 }
    self.bits = bits
  }

  /// Returns the symbols of the `i`-th block that is read, counted over all passes.
  func block(_ i: Int) -> Range<Int> {
    let (pass, place) = i.quotientAndRemainder(dividingBy: count)
    let block = permuted(place, pass: pass)
    return start(of: block)..<start(of: block + 1)
  }

  private func start(of block: Int) -> Int {
    if block == 0 { return 0 }
    if block == count { return corpus.count }
    let nominal = block * size
    return corpus.firstDocumentStart(in: nominal..<nominal + size) ?? nominal
  }

  /// Returns π_pass(place): a Feistel network of six rounds on the least even number of bits that hold all
  /// numbers, repeated until the result is one of them (Black & Rogaway 2002, "cycle walking").
  func permuted(_ place: Int, pass: Int) -> Int {
    guard let random else { return place }
    let mask = 1 << bits - 1
    var number = place
    repeat {
      var (left, right) = (number >> bits, number & mask)
      for round in 0..<6 {
        let words = random.words(
          SIMD4(
            UInt32(truncatingIfNeeded: right), UInt32(round), UInt32(truncatingIfNeeded: pass),
            UInt32(truncatingIfNeeded: pass >> 32)))
        (left, right) = (right, left ^ (Int(words[0]) & mask))
      }
      number = left << bits | right
    } while number >= count
    return number
  }

  /// Returns the phase of a stream: a random number of symbols, up to a block, that it counts as read of this
  /// corpus before its first block, so that streams do not all begin with the same corpus.
  func phase(of stream: Int) -> Double {
    guard let random else { return 0 }
    let words = random.words(SIMD4(UInt32(truncatingIfNeeded: stream), 0, 0, .max))
    return Philox.unit(words[0]) * Double(size)
  }
}
