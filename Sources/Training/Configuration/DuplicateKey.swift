internal import Yams

/// A key that a mapping has more than once, at the place where it stands first.
struct DuplicateKey {
  let name: String
  let mark: Mark

  /// Where the key stands again.
  ///
  /// The library tells only the first place and gives no tree. So the first key is renamed, without
  /// moving anything, until the text can be read; then its twin is looked up in the tree.
  func second(in text: String) -> Mark? {
    var scalars = Array(text.unicodeScalars)
    var next = self
    // The private use area of Unicode has a new letter for every renaming.
    for letter in UInt32(0xE000)..<0xE040 {
      let key = next.index(in: scalars)
      guard scalars.indices.contains(key), let letter = Unicode.Scalar(letter) else { return nil }
      scalars[key] = letter
      do {
        let text = String(String.UnicodeScalarView(scalars))
        return try Yams.compose(yaml: text).flatMap(next.twin(in:))
      } catch YamlError.duplicatedKeysInMapping(let names, let context) {
        next = DuplicateKey(name: names.first ?? "", mark: context.mark)
        if next.name == name { return next.mark }
      } catch {
        return nil
      }
    }
    return nil
  }

  /// The index of the key's first letter.
  private func index(in scalars: [Unicode.Scalar]) -> Int {
    var line = 1
    var index = 0
    while index < scalars.count, line < mark.line {
      if scalars[index] == "\n" { line += 1 }
      index += 1
    }
    index += mark.column - 1
    let isQuoted = scalars.indices.contains(index) && ["\"", "'"].contains(scalars[index])
    return isQuoted ? index + 1 : index
  }

  /// Where the mapping that has the renamed key at `mark` has a key of the old name.
  private func twin(in node: Node) -> Mark? {
    switch node {
    case .mapping(let mapping):
      if mapping.keys.contains(where: { $0.mark?.description == mark.description }) {
        return mapping.keys.first { $0.scalar?.string == name }?.mark
      }
      return mapping.values.lazy.compactMap(twin(in:)).first
    case .sequence(let sequence): return sequence.lazy.compactMap(twin(in:)).first
    case .scalar, .alias: return nil
    }
  }
}
