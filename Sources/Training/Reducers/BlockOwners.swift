internal import Collectives
internal import Recurrence

/// The owners of all blocks of the parameters.
///
/// The blocks whose gradients become final together are shared out as evenly as whole blocks can be, so that
/// all owners have work at any time.
struct BlockOwners {
  /// A run of this rank's slice whose sum is final at once.
  struct Bucket {
    /// The numbers, without gaps between blocks of more than the padding of a parameter.
    let numbers: Range<Int>
    /// The numbers that each rank of the column updates, from the first of the bucket on.
    let parts: [Range<Int>]
  }

  /// For each part of each stage, the ranges of numbers that are final with it, whoever owns them.
  let ranges: [[[Range<Int>]]]
  /// For each part of each stage, this rank's buckets; stages are those of `Model.gradientStages`, and a last
  /// one has whatever they do not name.
  let stages: [[[Bucket]]]
  /// This rank's runs of row-sparse parameters, which it sums.
  let table: [ParameterBlock]
  /// This rank's part of the numbers of the table that each rank of the column updates; empty without a
  /// table.
  let tableParts: [Bucket]
  /// The blocks that this rank updates.
  let slice: ParameterSlice

  /// - Parameters:
  ///   - slices: The number of slices.
  ///   - index: The slice of this rank; nil for none.
  ///   - rows: The number of ranks that share a slice out; 1 if each updates all of it.
  ///   - row: The place of this rank among them.
  ///   - most: The most numbers of a bucket.
  init(
    _ layout: ParameterLayout, _ stages: [GradientStage], slices: Int, index: Int?, rows: Int,
    row: Int, most: Int
  ) {
    var isOwn = [Bool](repeating: false, count: layout.blocks.count)
    func buckets(_ blocks: Range<Int>) -> [Bucket] {
      guard let index else { return [] }
      let own = Self.share(layout, blocks, over: slices)[index]
      return Self.cut(layout, own, most: most).map { bucket in
        let shares = Self.share(layout, bucket, over: rows)
        for block in shares[row] { isOwn[block] = true }
        let first = layout.blocks[bucket.lowerBound].numbers.lowerBound
        return Bucket(
          numbers: first..<layout.blocks[bucket.upperBound - 1].numbers.upperBound,
          parts: shares.map { share in
            guard let from = share.first, let to = share.last else { return 0..<0 }
            return layout.blocks[from].numbers.lowerBound - first..<layout.blocks[to].numbers
              .upperBound - first
          })
      }
    }
    func places(_ range: Range<Int>) -> Range<Int> {
      let first = layout.blocks.partitioningIndex { $0.numbers.lowerBound >= range.lowerBound }
      let last = layout.blocks.partitioningIndex { $0.numbers.lowerBound >= range.upperBound }
      return first..<last
    }
    ranges = layout.rangesByStage(stages)
    self.stages = ranges.map { parts in
      parts.map { ranges in ranges.map(places).filter { !$0.isEmpty }.flatMap(buckets) }
    }
    let tableBlocks = places(layout.dense.upperBound..<layout.count)
    if let index, !tableBlocks.isEmpty {
      tableParts = buckets(tableBlocks)
      let own = Self.share(layout, tableBlocks, over: slices)[index]
      table = ParameterSlice.joined(own.map { layout.blocks[$0] })
    } else {
      (table, tableParts) = ([], [])
    }
    slice = ParameterSlice(of: layout, isOwn)
  }

  /// Cuts a range of blocks into as many ranges of about as many numbers.
  private static func share(
    _ layout: ParameterLayout, _ blocks: Range<Int>, over count: Int
  ) -> [Range<Int>] {
    let total = blocks.reduce(0) { $0 + layout.blocks[$1].numbers.count }
    var shares: [Range<Int>] = []
    var (first, end, taken) = (blocks.lowerBound, blocks.lowerBound, 0)
    for share in 1...count {
      // A block belongs to the share in which its middle lies.
      while end < blocks.upperBound,
        share == count
          || count * (2 * taken + layout.blocks[end].numbers.count) < 2 * share * total
      {
        taken += layout.blocks[end].numbers.count
        end += 1
      }
      shares.append(first..<end)
      first = end
    }
    return shares
  }

  /// Cuts a range of blocks into ranges of at most so many numbers, or of one block.
  private static func cut(
    _ layout: ParameterLayout, _ blocks: Range<Int>, most: Int
  ) -> [Range<Int>] {
    var cuts: [Range<Int>] = []
    var (first, count) = (blocks.lowerBound, 0)
    for block in blocks {
      let numbers = layout.blocks[block].numbers.count
      if count > 0, count + numbers > most {
        cuts.append(first..<block)
        (first, count) = (block, 0)
      }
      count += numbers
    }
    if count > 0 { cuts.append(first..<blocks.upperBound) }
    return cuts
  }
}

extension Array {
  /// Returns the first index whose element satisfies a condition that all later ones satisfy, too.
  fileprivate func partitioningIndex(where isSecond: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isSecond(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
