/// The number of entities found, and of those with the right first word, last word and kind.
public struct EntityScore: Equatable, Sendable {
  public var right: Int
  public var found: Int
  public var present: Int

  public init(right: Int = 0, found: Int = 0, present: Int = 0) {
    self.right = right
    self.found = found
    self.present = present
  }

  /// The correct fraction of the found entities; 0 if none was found.
  public var precision: Double { Ratio(part: right, whole: found).value }
  /// The found fraction of the present entities; 0 if there are none.
  public var recall: Double { Ratio(part: right, whole: present).value }
  /// F₁ = 2 P R / (P + R)
  public var f1: Double { Ratio(part: 2 * right, whole: found + present).value }

  public static func + (a: EntityScore, b: EntityScore) -> EntityScore {
    EntityScore(
      right: a.right + b.right, found: a.found + b.found, present: a.present + b.present)
  }
}

extension Measures {
  /// Scores the entities in sentences of tags such as `I-PER`, `B-PER` and `O`, as conlleval does
  /// (Tjong Kim Sang & De Meulder 2003).
  ///
  /// An entity begins at every B, and at an I whose kind differs from that of the tag before. So
  /// both IOB1, which writes B only between neighbours of the same kind, and IOB2 can be read.
  public static func entities(_ predicted: [[String]], truth: [[String]]) -> EntityScore {
    precondition(predicted.count == truth.count, "\(predicted.count) sentences for \(truth.count)")
    return zip(predicted, truth).reduce(EntityScore()) { sum, pair in
      precondition(pair.0.count == pair.1.count, "\(pair.0.count) tags for \(pair.1.count) words")
      let (found, present) = (entities(in: pair.0), entities(in: pair.1))
      return sum
        + EntityScore(
          right: found.intersection(present).count, found: found.count, present: present.count)
    }
  }

  private struct Entity: Hashable {
    let words: Range<Int>
    let kind: Substring
  }

  private static func entities(in tags: [String]) -> Set<Entity> {
    var result: Set<Entity> = []
    var open: (start: Int, kind: Substring)?
    for place in 0...tags.count {
      let tag = place < tags.count ? tags[place] : "O"
      let parts = tag.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
      let isOutside = parts[0] == "O"
      let kind = parts.count > 1 ? parts[1] : ""
      if let entity = open, isOutside || parts[0] == "B" || kind != entity.kind {
        result.insert(Entity(words: entity.start..<place, kind: entity.kind))
        open = nil
      }
      if !isOutside, open == nil { open = (place, kind) }
    }
    return result
  }
}
