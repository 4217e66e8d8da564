internal import LinearAlgebra
internal import Sequences

/// Pieces for a piano of 88 keys. The input of a step is the set of sounding keys, the target is
/// that of the next step (Boulanger-Lewandowski, Bengio & Vincent 2012).
public struct PianoExamples: ExampleSet {
  public static let keys = 88

  /// The keys that sound at a step, one bit per key.
  typealias Chord = SIMD2<UInt64>

  public let name: String
  public let hash: UInt64
  public let longest: (steps: Int, source: Int)
  let pieces: [[Chord]]

  /// - Parameter pieces: The pieces; each has at least two steps.
  init(_ pieces: [[Chord]], name: String) {
    self.pieces = pieces
    self.name = name
    longest = (pieces.map { $0.count - 1 }.max() ?? 0, 0)
    var fingerprint = Fingerprint()
    for piece in pieces {
      fingerprint.add(piece.count)
      for chord in piece {
        fingerprint.add(chord[0])
        fingerprint.add(chord[1])
      }
    }
    hash = fingerprint.value
  }

  public var count: Int { pieces.count }
  public var shape: ExampleShape {
    ExampleShape(widths: Batch.Widths(features: Self.keys, values: Self.keys))
  }

  public func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    (pieces[index].count - 1, 0)
  }

  public func example(_ index: Int, epoch: Int) -> Example {
    let piece = pieces[index]
    var example = Example()
    example.frames = Self.frames(piece.dropLast())
    example.values = Self.frames(piece.dropFirst())
    example.targets = Array(repeating: 0, count: piece.count - 1)
    return example
  }

  /// Returns step after step with a 1 for each sounding key.
  static func frames(_ chords: ArraySlice<Chord>) -> [Real] {
    var frames = [Real](repeating: 0, count: chords.count * keys)
    for (t, chord) in chords.enumerated() {
      for key in 0..<keys where chord[key >> 6] >> UInt64(key & 63) & 1 == 1 {
        frames[t * keys + key] = 1
      }
    }
    return frames
  }

  /// Reads one piece per line. Steps are separated by ` | ` and the keys of a step, 0 to 87, by
  /// commas; a step without a key is silent. Pieces with fewer than `least` steps are skipped,
  /// because a single step has no next one.
  static func read(_ text: TextFiles, least: Int = 2) throws(DataError) -> [[Chord]] {
    var pieces: [[Chord]] = []
    var places = Records()
    try places.read(text) { (text, line, places) throws(DataError) in
      var piece = [Chord(0, 0)]
      var key: Int?
      func finish() throws(DataError) {
        guard let sounding = key else { return }
        guard sounding < keys else {
          throw places.refusal("has the key \(sounding): keys are 0 to \(keys - 1)")
        }
        piece[piece.count - 1][sounding >> 6] |= 1 << UInt64(sounding & 63)
        key = nil
      }
      for i in line.content {
        switch text[i] {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
          key = min((key ?? 0) * 10 + Int(text[i] - UInt8(ascii: "0")), 1_000)
        case UInt8(ascii: ","), UInt8(ascii: " "), UInt8(ascii: "\t"): try finish()
        case UInt8(ascii: "|"):
          try finish()
          piece.append(Chord(0, 0))
        default:
          throw places.refusal(
            "has '\(string(text, i..<i + characterLength(text[i])))': separate keys by commas, "
              + "and steps by |")
        }
      }
      try finish()
      if piece.count >= least { pieces.append(piece) }
    }
    return pieces
  }
}
