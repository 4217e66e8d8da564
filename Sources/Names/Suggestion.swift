/// Finds the known word that an unknown word probably meant.
public enum Suggestion {
  /// Names that other trainers use for some keys.
  package static let namesElsewhere = [
    "lr": "learning_rate", "wd": "weight_decay", "bs": "batch_size", "nhid": "hidden",
    "hidden_size": "hidden", "emsize": "embedding", "seq_len": "bptt", "sequence_length": "bptt",
    "num_epochs": "epochs", "max_steps": "steps", "grad_clip": "clip",
  ]

  /// Returns the known word nearest to `word`, or nil if none is similar enough.
  ///
  /// In order of preference, near means a misspelling (at most one edit per three letters; an edit
  /// inserts, deletes, replaces or swaps neighbours; Damerau, 1964), the initials (`lr` for
  /// `learning_rate`), a part (`rate`), or letters left out (`lrng_rate`).
  public static func nearest(_ word: String, among known: some Sequence<String>) -> String? {
    let wanted = letters(word)
    let candidates = known.map { (word: $0, letters: letters($0)) }
    guard !wanted.isEmpty else { return nil }

    let limit = min(max(1, wanted.count / 3), wanted.count - 1)
    let misspelled = candidates.map { (word: $0.word, edits: edits(wanted, $0.letters)) }
    if let best = misspelled.min(by: { $0.edits < $1.edits }), best.edits <= limit {
      return best.word
    }
    guard wanted.count >= 2 else { return nil }
    if let match = candidates.first(where: { initials($0.letters) == wanted }) { return match.word }
    if wanted.count >= 3,
      let match = candidates.first(where: { contains($0.letters, wanted) })
    {
      return match.word
    }
    return candidates.filter { $0.letters.first == wanted.first && skips(wanted, in: $0.letters) }
      .min { $0.letters.count < $1.letters.count }?.word
  }

  /// Returns the end of a sentence about an unknown word: the nearest known one, or else all of
  /// them.
  public static func advice(for word: String, among known: some Collection<String>) -> String {
    if let nearest = nearest(word, among: known) { return "did you mean \"\(nearest)\"?" }
    return known.isEmpty ? "remove it" : "known here: " + known.joined(separator: ", ")
  }

  private static func letters(_ word: String) -> [Character] {
    word.lowercased().map { $0 == "-" || $0 == " " ? "_" : $0 }
  }

  private static func initials(_ letters: [Character]) -> [Character] {
    letters.split(separator: "_").compactMap(\.first)
  }

  private static func contains(_ whole: [Character], _ part: [Character]) -> Bool {
    whole.count > part.count
      && (0...(whole.count - part.count)).contains { whole[$0...].starts(with: part) }
  }

  private static func skips(_ part: [Character], in whole: [Character]) -> Bool {
    var rest = part[...]
    for letter in whole where letter == rest.first { rest.removeFirst() }
    return rest.isEmpty
  }

  /// Returns the number of edits between two words (optimal string alignment).
  private static func edits(_ a: [Character], _ b: [Character]) -> Int {
    var earlier = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1] + [Int](repeating: 0, count: b.count)
      for j in 0..<b.count {
        row[j + 1] = min(
          previous[j + 1] + 1, row[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          row[j + 1] = min(row[j + 1], earlier[j - 1] + 1)
        }
      }
      (earlier, previous) = (previous, row)
    }
    return previous[b.count]
  }
}
