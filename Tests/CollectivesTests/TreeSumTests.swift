import Collectives
import LinearAlgebra
import TestSupport
import Testing

/// Sums in a binary tree over ranks.
@Suite(.serialized) struct `Sums in a tree` {
  /// The terms of 8 leaves, shared by the ranks in turn.
  private static func term(_ leaf: Int, _ place: Int) -> Real {
    `Sums under way`.number(leaf, place)
  }

  /// The sum over all leaves from first to last, in the tree of one rank.
  private static func expected(_ place: Int, leaves: Int) -> Real {
    func sum(_ first: Int, _ stride: Int) -> Real {
      guard first + stride < leaves else { return term(first, place) }
      return sum(first, 2 * stride) + sum(first + stride, 2 * stride)
    }
    return sum(0, 1)
  }

  @Test(arguments: World.isLaunched ? [.mpi] : [.singleProcess, World.threads(2), .threads(4)])
  func `of a rank's own sums have the bits of one rank`(_ world: World) throws {
    for count in [0, 1, 3, 1_000, 300_001] {
      let locals = try world.run { world -> Bool in
        let (ranks, leaves) = (world.size, 8)
        let values = Buffer<Real>(count: count)
        for place in 0..<count {
          // Term i of rank r is leaf i · ranks + r.
          func sum(_ first: Int, _ stride: Int) -> Real {
            guard first + stride < leaves else { return Self.term(first, place) }
            return sum(first, 2 * stride) + sum(first + stride, 2 * stride)
          }
          values.start[place] = sum(world.rank, ranks)
        }
        try world.sumInTree(values.elements())
        return (0..<count).allSatisfy {
          values.start[$0].bitPattern == Self.expected($0, leaves: leaves).bitPattern
        }
      }
      for local in locals { #expect(local.value) }
    }
  }

  @Test(arguments: World.upToFour)
  func `of doubles are those of the terms in one place`(_ world: World) throws {
    let locals = try world.run { world -> Bool in
      func terms(_ index: Int) -> [Double] {
        (0..<world.size).map { Double(Self.term($0, index)) * 1.1 }
      }
      var values = (0..<5).map { terms($0)[world.rank] }
      try world.sumInTree(&values)
      return values == (0..<5).map { terms($0).sumInTree() }
    }
    for local in locals { #expect(local.value) }
  }

  @Test func `of any number of terms have all of them`() {
    for count in 0..<20 {
      #expect((0..<count).map { Double(1 << $0) }.sumInTree() == Double(1 << count - 1))
    }
  }
}
