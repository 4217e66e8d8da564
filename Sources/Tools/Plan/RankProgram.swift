internal import Configuration
internal import Foundation
internal import Recurrence

/// A sum of some numbers over ranks, which travels in two phases: each rank collects its part from all
/// others, adds, and distributes the sum of its part.
struct PlannedSum: Equatable {
  /// The ranks of a sum.
  enum Scope { case world, ownersOfSlice }

  var numbers: Double
  var scope = Scope.world
  /// The bytes of a number on the wire.
  var width = 4.0
  var bytes: Double { numbers * width }
}

/// One action of a rank, in order.
enum RankAction: Equatable {
  /// Computes for some seconds.
  case compute(Double)
  /// Begins sums, which proceed while the rank goes on.
  case begin([PlannedSum])
  /// Waits for all sums that it has begun.
  case wait
  /// Exchanges a few numbers with all ranks, so that each receives some bytes, and waits.
  case meet(bytes: Double)
  /// Sends bytes to all ranks, one rank after another, and waits for those of all.
  case spread(bytes: Double)
  /// Ends a step.
  case endStep
}

/// The actions of a rank in one round of steps: one step, or as many as from one outer step to the next.
///
/// It repeats what `Trainer.step` and the reducers do; passes over the gradient are counted in bytes from
/// and to memory.
struct RankProgram {
  private(set) var actions: [RankAction] = []
  /// The seconds of one step without any exchange.
  private(set) var computing = 0.0

  private let work: StepWork
  private let speed: RankSpeed
  private let ranks: Int
  /// The ranks of this node that sum in its memory, and the slices of the gradient; nil for ranks that each
  /// have all of the weights.
  private let sharing: (ranks: Double, slices: Double)?
  private let isSpread: Bool
  private let options: CommunicationOptions
  private let overlaps: Bool

  /// The largest piece of a sum that a rank waits for, and of one that proceeds by itself, in bytes.
  private static let (piece, bucket) = (Double(2 << 20), Double(4 << 20))
  /// The most bytes, over all ranks, that are sent whole.
  private static let small = Double(1 << 17)

  /// - Parameters:
  ///   - speed: The speed of a rank of a site of the cluster.
  init(
    _ work: StepWork, _ options: CommunicationOptions, _ speed: RankSpeed,
    on cluster: ClusterDescription
  ) {
    (self.work, self.speed, ranks, self.options) = (work, speed, cluster.ranks, options)
    isSpread = cluster.allNodes > 1
    sharing =
      cluster.sharesMemory(options)
      ? (Double(speed.ranks), Double(cluster.ranksOfNodes.lowerBound)) : nil
    overlaps = ranks > 1 && (options.overlap == .on || options.overlap == .auto && isSpread)
    computing = speed.seconds(work.differentiation) + speed.seconds(work.update)
    guard ranks > 1 else {
      actions = [.compute(computing), .endStep]
      return
    }
    if let outer = options.outer {
      addRound(outer)
    } else {
      addStep()
    }
  }

  /// A step with a sum of the gradient.
  private mutating func addStep() {
    switch options.compression {
    case .powerSGD(let options): addPowerSGD(rank: options.rank)
    case .topK(let options): addTopK(options)
    case .oneBit: addOneBit()
    case nil:
      if sharing != nil {
        addSlices()
      } else if options.wire == .bfloat16 || overlaps {
        addLayers()
      } else {
        addWhole()
      }
    }
    finishStep()
  }

  private var width: Double { options.wire == .bfloat16 ? 2 : 4 }

  private mutating func compute(_ work: Work) { actions.append(.compute(speed.seconds(work))) }

  /// Adds some passes over memory.
  private mutating func pass(bytes: Double) {
    if bytes > 0 { actions.append(.compute(bytes / speed.memory)) }
  }

  /// The few sums of a step, and the update.
  private mutating func finishStep() {
    addSmallSums()
    if let sharing {
      compute(work.update(share: 1 / sharing.slices))
      addBarrier()
    } else {
      compute(work.update)
    }
    actions.append(.endStep)
  }

  /// The sums of losses, votes and times (`StepSums`), in double precision. Short vectors go whole to every rank, longer
  /// ones in parts, as `OrderedSum` decides.
  private mutating func addSmallSums() {
    let bytes = Double(8 * (6 + 2 * ranks))
    if bytes * Double(ranks) <= Self.small {
      actions.append(.meet(bytes: bytes * Double(ranks)))
    } else {
      actions += [.begin([PlannedSum(numbers: bytes / 8, width: 8)]), .wait]
    }
  }

  /// All forward and backward passes as one.
  private mutating func differentiate() { compute(work.differentiation) }

  // MARK: Sums that are awaited

  /// Adds a sum in pieces, each of which all ranks wait for.
  private mutating func addSum(of numbers: Double) {
    var left = numbers
    while left > 0 {
      let count = min(left, Self.piece / 4)
      actions += [.begin([PlannedSum(numbers: count)]), .wait]
      left -= count
    }
  }

  /// The union of touched rows, and the rows.
  private mutating func addRows(_ gradient: (dense: Int, rows: Int, counters: Int)) {
    guard gradient.counters > 0 else { return }
    // By halving and doubling, each number passes twice.
    actions.append(.meet(bytes: Double(8 * gradient.counters)))
    // Moved together and back.
    pass(bytes: Double(16 * gradient.rows))
  }

  /// One sum of everything after the backward pass.
  private mutating func addWhole() {
    differentiate()
    let gradient = work.gradient(ranks: ranks)
    addRows(gradient)
    addSum(of: Double(gradient.dense + gradient.rows))
  }

  // MARK: Sums that proceed by themselves

  /// Returns the buckets of some ranges.
  private func buckets(
    _ ranges: [Int], width: Double, _ scope: PlannedSum.Scope = .world
  ) -> [PlannedSum] {
    ranges.flatMap { range -> [PlannedSum] in
      var sums: [PlannedSum] = []
      var left = Double(range)
      while left > 0 {
        sums.append(PlannedSum(numbers: min(left, Self.bucket / 4), scope: scope, width: width))
        left -= sums[sums.count - 1].numbers
      }
      return sums
    }
  }

  /// The gradient of each layer as soon as it is final, or of all after the backward pass.
  private mutating func addLayers() {
    // Gradients are complete in the last backward pass.
    for _ in 1..<work.passes { compute(work.differentiationOfOnePass) }
    compute(work.forward)
    var known = 0
    for part in work.backward {
      compute(part.work)
      known += part.ranges.reduce(0, +)
      let sums = buckets(part.ranges, width: width)
      if !sums.isEmpty { actions.append(.begin(sums)) }
    }
    let rest = work.layout.dense.count - known
    if rest > 0 { actions.append(.begin(buckets([rest], width: width))) }
    if !overlaps { deferSums() }
    let gradient = work.gradient(ranks: ranks)
    addRows(gradient)
    if gradient.rows > 0 {
      actions.append(.begin([PlannedSum(numbers: Double(gradient.rows), width: width)]))
    }
    actions.append(.wait)
  }

  /// Moves all sums behind the computation.
  private mutating func deferSums() {
    var (computed, begun): ([RankAction], [RankAction]) = ([], [])
    for action in actions {
      if case .begin = action { begun.append(action) } else { computed.append(action) }
    }
    actions = computed + begun
  }

  // MARK: Sums in the memory of a node

  /// Waits for the ranks of the node, which meet in its memory.
  private mutating func addBarrier() {
    let rounds = log2(sharing?.ranks ?? 1).rounded(.up)
    actions.append(.compute(rounds * speed.secondsOfMeeting))
  }

  /// The gradient of each stage, of which a rank adds its slice of those of all ranks of its node. The owners
  /// of the same slice on several nodes then sum it with messages.
  private mutating func addSlices() {
    guard let sharing else { return }
    for _ in 1..<work.passes { compute(work.differentiationOfOnePass) }
    compute(work.forward)
    var (known, later): (Int, [PlannedSum]) = (0, [])
    func slice(_ numbers: Int) -> Double { Double(numbers) / sharing.slices }
    func columns(_ numbers: Int) -> [PlannedSum] {
      isSpread
        ? buckets([Int(slice(numbers).rounded(.up))], width: width, .ownersOfSlice) : []
    }
    func bytes(_ numbers: Int) -> Double { 4 * slice(numbers) * (sharing.ranks + 1) }
    for part in work.backward {
      compute(part.work)
      let numbers = part.ranges.reduce(0, +)
      known += numbers
      guard overlaps, numbers > 0 else { continue }
      addBarrier()
      pass(bytes: bytes(numbers))
      let sums = columns(numbers)
      if !sums.isEmpty { actions.append(.begin(sums)) }
    }
    addBarrier()
    let rest = overlaps ? work.layout.dense.count - known : work.layout.dense.count
    if rest > 0 {
      pass(bytes: bytes(rest))
      later += columns(rest)
    }
    let gradient = work.gradient(ranks: ranks)
    if gradient.counters > 0 {
      actions.append(.meet(bytes: Double(8 * gradient.counters)))
      pass(bytes: bytes(gradient.rows))
      later += columns(gradient.rows)
    }
    if !later.isEmpty { actions.append(.begin(later)) }
    if isSpread { actions.append(.wait) }
    addBarrier()
  }

  // MARK: Compression

  /// The entries that a compression sends in its own form, and the count of other dense numbers.
  private func compressed(
    _ isWorthIt: (ParameterLayout.Entry) -> Bool
  ) -> (matrices: [ParameterLayout.Entry], numbers: Double, whole: Double) {
    let dense = work.layout.entries.filter { !$0.isRowSparse }
    let matrices = dense.filter { !$0.isVector && !$0.isFrozen && isWorthIt($0) }
    let numbers = matrices.reduce(0) { $0 + $1.count }
    return (matrices, Double(numbers), Double(work.layout.dense.count - numbers))
  }

  private mutating func addPowerSGD(rank: Int) {
    differentiate()
    let (matrices, numbers, whole) = compressed { 2 * rank * ($0.rows + $0.columns) < $0.count }
    let left = Double(matrices.reduce(0) { $0 + rank * $1.rows })
    let right = Double(matrices.reduce(0) { $0 + rank * $1.columns })
    // M ← M + e with P; then Mᵀ P; then e and M anew, with the factors in the cache.
    pass(bytes: 12 * numbers)
    addSum(of: left + whole)
    let gradient = work.gradient(ranks: ranks)
    addRows(gradient)
    addSum(of: Double(gradient.rows))
    pass(bytes: 4 * numbers)
    addSum(of: right)
    pass(bytes: 16 * numbers)
  }

  private mutating func addTopK(_ options: TopKOptions) {
    differentiate()
    let (matrices, numbers, whole) = compressed { $0.count <= UInt32.max }
    // A check for numbers that are not finite; v ← v + g, g ← 0, and the search; with momentum u.
    pass(bytes: (options.momentum > 0 ? 36 : 24) * numbers)
    addSum(of: 1 + whole)
    let gradient = work.gradient(ranks: ranks)
    addRows(gradient)
    addSum(of: Double(gradient.rows))
    let chosen = matrices.reduce(0.0) { $0 + (options.share * Double($1.count)).rounded(.up) }
    actions.append(.spread(bytes: 8 * chosen))
    // Each number that arrives changes a number somewhere: a line of the cache in and out.
    pass(bytes: 128 * chosen * Double(ranks))
  }

  private mutating func addOneBit() {
    differentiate()
    let (matrices, numbers, whole) = compressed {
      4 * (($0.columns + 31) / 32) + 8 < 4 * $0.columns
    }
    addSum(of: whole)
    let gradient = work.gradient(ranks: ranks)
    addRows(gradient)
    addSum(of: Double(gradient.rows))
    let rows = Double(matrices.reduce(0) { $0 + $1.rows })
    let words = Double(matrices.reduce(0) { $0 + $1.rows * (($1.columns + 31) / 32) })
    // M ← M + e and its signs; e ← M, M ← 0; the means from e, and those of each rank to M.
    pass(bytes: (12 + 8 + 12 + 8) * numbers)
    actions.append(.spread(bytes: 8 * rows))
    actions.append(.spread(bytes: 4 * words))
    pass(bytes: 8 * numbers * Double(ranks))
  }

  // MARK: Outer steps

  private mutating func addRound(_ outer: OuterOptions) {
    let all = Double(work.layout.count)
    // The outer step reads and writes the start, the change and the weights, and a velocity if there is one.
    let move = (outer.rule == .average ? 28.0 : 44.0) * all
    for step in 1...outer.every {
      differentiate()
      addSmallSums()
      compute(work.update)
      if step % outer.every == 0 {
        pass(bytes: 12 * all)
        actions.append(.begin(buckets([work.layout.count], width: width)))
      }
      // The changes of the round before arrive in the first steps of this one.
      if step % outer.every == outer.overlap {
        actions.append(.wait)
        pass(bytes: move)
      }
      actions.append(.endStep)
    }
  }
}
