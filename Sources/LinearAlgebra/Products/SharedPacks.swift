internal import Glibc
internal import Synchronization

/// Memory for the packed copies of one model's weights that several processes share. Each copy is made once
/// after a change of the weights, by whichever process comes to it first, and read by all.
///
/// All processes have the same weights and make the same changes. Before the weights change, all of them must
/// have done with their products, and after it none may begin before all are done.
public final class SharedPacks: @unchecked Sendable {
  /// The copies that a weight may have.
  static let copiesOfWeight = 4
  /// The numbers that describe a copy, a line of cache.
  private static let numbersOfCopy = 8

  /// For each copy its state and its place; at the end, the bytes that are in use.
  private let table: Buffer<Int>
  private let memory: Buffer<UInt8>
  /// The number of changes of the weights so far.
  private var version = 1
  /// This process among those that share, and their number.
  private let rank, size: Int
  /// The copies that this process has used, so that it can make those that are due while it would wait.
  private var known: [Known] = []

  private struct Known {
    let copy, number: Int
    unowned(unsafe) let weight: WeightProduct
    let place: UnsafeMutableRawPointer
  }

  /// Returns the count of numbers in the table of so many weights.
  public static func tableCount(weights: Int) -> Int {
    (weights * copiesOfWeight + 1) * numbersOfCopy
  }

  /// - Parameters:
  ///   - table: Shared memory of `tableCount` zeros.
  ///   - memory: Shared memory for the copies; those for which it is too small are not shared.
  ///   - rank: The number of this process among those that share, from 0.
  ///   - size: The number of processes that share.
  public init(table: Buffer<Int>, memory: Buffer<UInt8>, rank: Int, of size: Int) {
    (self.table, self.memory, self.rank, self.size) = (table, memory, rank, size)
  }

  /// Marks all copies as out of date. Called by every process after each change of the weights.
  public func weightsChanged() { version += 1 }

  private func number(_ index: Int, of copy: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    UnsafeMutableRawPointer(table.start + copy * Self.numbersOfCopy + index)
      .assumingMemoryBound(to: Atomic<Int>.self)
  }

  /// Returns a copy that is up to date; nil if there is no room for it.
  func bytes(
    _ count: Int, _ number: Int, of weight: WeightProduct
  ) -> UnsafeMutableRawPointer? {
    let copy = weight.index * Self.copiesOfWeight + number
    guard let place = place(count, of: copy) else { return nil }
    let state = self.number(0, of: copy)
    if state.pointee.load(ordering: .acquiring) == 2 * version { return place }
    if !known.contains(where: { $0.copy == copy }) {
      known.append(Known(copy: copy, number: number, weight: weight, place: place))
    }
    makeDue()
    while state.pointee.load(ordering: .acquiring) != 2 * version { sched_yield() }
    return place
  }

  /// Makes all known copies that are out of date and that no other process is making. Each process begins
  /// at another one, so that they share the work.
  private func makeDue() {
    let first = known.count * rank / size
    for index in known.indices {
      let due = known[(first + index) % known.count]
      let state = number(0, of: due.copy)
      let current = state.pointee.load(ordering: .acquiring)
      // 2 v is a copy of version v, 2 v + 1 one that is being made.
      guard current < 2 * version else { continue }
      let (isMine, _) = state.pointee.compareExchange(
        expected: current, desired: 2 * version + 1, ordering: .acquiringAndReleasing)
      guard isMine else { continue }
      due.weight.pack(due.number, into: due.place)
      state.pointee.store(2 * version, ordering: .releasing)
    }
  }

  /// Returns the place of a copy, which the first process to ask has chosen.
  private func place(_ count: Int, of copy: Int) -> UnsafeMutableRawPointer? {
    let place = number(1, of: copy)
    var chosen = place.pointee.load(ordering: .acquiring)
    if chosen == 0 {
      // Copies larger than a large page begin on one.
      let unit = count >= 2 << 20 ? 2 << 20 : 64
      let bytes = (count + unit - 1) / unit * unit
      let used = number(0, of: table.count / Self.numbersOfCopy - 1)
      // Another process may choose at the same time: then one of the two places is never used.
      let end = used.pointee.wrappingAdd(bytes + unit, ordering: .acquiringAndReleasing).newValue
      let first = (end - bytes) / unit * unit
      let own = first + bytes <= memory.count ? first + 1 : -1
      let (isMine, other) = place.pointee.compareExchange(
        expected: 0, desired: own, ordering: .acquiringAndReleasing)
      chosen = isMine ? own : other
      if isMine, own > 0 { memory.useLargePages(first..<first + bytes) }
    }
    return chosen > 0 ? UnsafeMutableRawPointer(memory.start + chosen - 1) : nil
  }
}
