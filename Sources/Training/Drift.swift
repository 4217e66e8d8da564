internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// The error of a rank whose weights differ from those of the others, although all ranks made the
/// same updates.
public struct DriftError: Error, Equatable, CustomStringConvertible {
  public let description: String
}

extension Trainer {
  /// Compares with the other ranks everything that must be equal: weights, moments, their average
  /// and the decisions so far. Collective; costs about as much as reading them once.
  ///
  /// It is called before each evaluation and each checkpoint, and every `communication.check_every` steps.
  /// - Throws: `DriftError` on a rank that differs from most ranks or, without a majority, from the
  ///   root; `FailedElsewhere` on the other ranks.
  func checkAgreement() throws {
    guard world.size > 1 else { return }
    let found = try world.allGather(digest())
    guard let other = Self.rankApart(found) else { return }
    let like = found.firstIndex { $0 != found[other] }!
    try world.unanimous {
      // The checkpoint that is being written is of an earlier step, on which all agreed.
      _ = checkpoints?.finish()
      guard world.rank == other else { return }
      throw DriftError(
        description:
          "Rank \(other) on \(world.hostName) no longer has the weights of rank \(like) after step "
          + "\(coordinator.state.step), and this step was not saved: the memory or the processor "
          + "of one of the two is faulty, so resume from the last checkpoint without that machine")
    }
  }

  /// Returns the lowest rank whose digest differs from that of most ranks or, without a majority,
  /// from the root's; nil if all are equal.
  package static func rankApart(_ digests: [[UInt8]]) -> Int? {
    var counts: [[UInt8]: Int] = [:]
    for digest in digests { counts[digest, default: 0] += 1 }
    // The root's comes first, because the first of equal counts is taken.
    var common = digests[0]
    for digest in digests where counts[digest]! > counts[common]! { common = digest }
    return digests.firstIndex { $0 != common }
  }

  private func digest() -> [UInt8] {
    var hash = Digest()
    if let outer {
      // Between outer steps each rank has weights and moments of its own.
      for (_, vector) in outer.agreedTensors { hash.add(vector) }
    } else {
      hash.add(weights)
      // Of moments in slices each rank has others.
      if sharing?.isSharded != true {
        for moment in optimizer.moments { hash.add(moment.vector) }
        if let average { hash.add(average.vector) }
      }
    }
    return hash.bytes + Array("\(coordinator.state)".utf8)
  }
}

/// A digest that changes with any change of a single number: four chains of FNV-1a over words.
private struct Digest {
  private var chains: (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)

  mutating func add(_ vector: ParameterVector) {
    var (a, b, c, d) = chains
    let prime: UInt64 = 0x100_0000_01b3
    let row = Matrix(vector.buffer, rows: 1, columns: vector.buffer.count)[0]
    var j = 0
    while j + 4 <= row.count {
      a = (a ^ UInt64(row[j].bitPattern)) &* prime
      b = (b ^ UInt64(row[j + 1].bitPattern)) &* prime
      c = (c ^ UInt64(row[j + 2].bitPattern)) &* prime
      d = (d ^ UInt64(row[j + 3].bitPattern)) &* prime
      j += 4
    }
    while j < row.count {
      a = (a ^ UInt64(row[j].bitPattern)) &* prime
      j += 1
    }
    chains = (a, b, c, d)
  }

  var bytes: [UInt8] {
    [chains.0, chains.1, chains.2, chains.3].flatMap { chain in
      (0..<8).map { UInt8(truncatingIfNeeded: chain >> UInt64(8 * $0)) }
    }
  }
}
