internal import Yams

/// A duplicate key of a mapping, at its first position.
struct DuplicateKey {
  let name: String
  let mark: Mark

  /// Returns the position of the second occurrence.
  ///
  /// The library reports only the first position and gives no tree. So the key is renamed there
  /// without moving other text, and other duplicates too, until the text can be parsed. Then the
  /// second occurrence is looked up in the tree.
  func second(in text: String) -> Mark? {
    var scalars = Array(text.unicodeScalars)
    var renamed = [self]
    // Unicode's private use area has a new letter for every renaming.
    for letter in UInt32(0xE000)..<0xE040 {
      guard let last = renamed.last, let index = last.index(in: scalars),
        let letter = Unicode.Scalar(letter)
      else { return nil }
      scalars[index] = letter
      do {
        let root = try Yams.compose(yaml: String(String.UnicodeScalarView(scalars)))
        return root.flatMap { twin(in: $0, renamed: renamed) }
      } catch YamlError.duplicatedKeysInMapping(let names, let context) {
        renamed.append(DuplicateKey(name: names.first ?? "", mark: context.mark))
      } catch {
        return nil
      }
    }
    return nil
  }

  /// Returns the index of the key's first letter.
  private func index(in scalars: [Unicode.Scalar]) -> Int? {
    var line = 1
    var index = 0
    while index < scalars.count, line < mark.line {
      if scalars[index] == "\n" { line += 1 }
      index += 1
    }
    index += mark.column - 1
    guard scalars.indices.contains(index) else { return nil }
    return ["\"", "'"].contains(scalars[index]) ? index + 1 : index
  }

  /// Returns the position of the other key with this name, in the mapping that has the renamed key.
  private func twin(in node: Node, renamed: [DuplicateKey]) -> Mark? {
    switch node {
    case .mapping(let mapping):
      guard mapping.keys.contains(where: { $0.mark.map(stands(at:)) ?? false }) else {
        return mapping.values.lazy.compactMap { twin(in: $0, renamed: renamed) }.first
      }
      let marks = mapping.compactMap { key, _ in
        key.mark.map { (mark: $0, name: key.scalar?.string) }
      }
      return marks.first { key in
        !stands(at: key.mark)
          && (key.name == name
            || renamed.contains { $0.name == name && $0.stands(at: key.mark) })
      }?.mark
    case .sequence(let sequence):
      return sequence.lazy.compactMap { twin(in: $0, renamed: renamed) }.first
    case .scalar, .alias: return nil
    }
  }

  private func stands(at other: Mark) -> Bool {
    mark.line == other.line && mark.column == other.column
  }
}
