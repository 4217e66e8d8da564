internal import Synchronization

/// Some rows of one parameter: the smallest part of all parameters that ranks share out, and a term of the
/// gradient's norm.
public struct ParameterBlock: Sendable, Equatable {
  /// The index of the parameter in `ParameterLayout.entries`.
  public let entry: Int
  public let rows: Range<Int>
  /// The place of the numbers of these rows.
  public let numbers: Range<Int>
}

/// The part of all parameters that one rank updates: some blocks.
public struct ParameterSlice: Sendable {
  /// True for each of this rank's blocks among all blocks of the layout.
  public let isOwn: [Bool]
  /// This rank's blocks, joined where one follows another of the same parameter.
  public let runs: [ParameterBlock]

  /// - Parameters:
  ///   - layout: The layout of the parameters, whose blocks are divided among the ranks.
  ///   - isOwn: True for each of this rank's blocks, in the order of the layout.
  public init(of layout: ParameterLayout, _ isOwn: [Bool]) {
    precondition(
      isOwn.count == layout.blocks.count, "\(isOwn.count) of \(layout.blocks.count) blocks")
    self.isOwn = isOwn
    runs = ParameterSlice.joined(zip(layout.blocks, isOwn).filter(\.1).map(\.0))
  }

  /// The count of numbers.
  public var count: Int { runs.reduce(0) { $0 + $1.numbers.count } }

  /// Joins blocks where one follows another of the same parameter.
  public static func joined(_ blocks: [ParameterBlock]) -> [ParameterBlock] {
    var runs: [ParameterBlock] = []
    for block in blocks {
      if let last = runs.last, last.entry == block.entry,
        last.rows.upperBound == block.rows.lowerBound
      {
        runs[runs.count - 1] = ParameterBlock(
          entry: block.entry, rows: last.rows.lowerBound..<block.rows.upperBound,
          numbers: last.numbers.lowerBound..<block.numbers.upperBound)
      } else {
        runs.append(block)
      }
    }
    return runs
  }
}

/// The blocks of a layout, which are made when they are first asked for: a model that is too large for the
/// machine has more of them than its memory holds.
final class AllBlocks: Sendable {
  private let entries: [ParameterLayout.Entry]
  private let made = Mutex<[ParameterBlock]?>(nil)

  init(of entries: [ParameterLayout.Entry]) { self.entries = entries }

  var value: [ParameterBlock] {
    made.withLock { made in
      if let made { return made }
      let blocks = ParameterLayout.blocks(of: entries)
      made = blocks
      return blocks
    }
  }
}

extension ParameterLayout {
  /// The numbers of a block, except that it has at least one row.
  public static let numbersOfBlock = 1 << 14

  static func blocks(of entries: [Entry]) -> [ParameterBlock] {
    var blocks: [ParameterBlock] = []
    for (index, entry) in entries.enumerated() {
      let rows = max(numbersOfBlock / max(entry.columns, 1), 1)
      for first in stride(from: 0, to: entry.rows, by: rows) {
        let range = first..<min(first + rows, entry.rows)
        blocks.append(
          ParameterBlock(entry: index, rows: range, numbers: entry.range(ofRows: range)))
      }
    }
    return blocks
  }
}

extension ParameterVector {
  /// Calls `body` with the parameters of this rank's slice, run by run; with all of them if there is no
  /// slice.
  public func forEachOwn(_ body: (ParameterLayout.Entry, ParameterBlock) -> Void) {
    if let slice {
      for run in slice.runs { body(layout.entries[run.entry], run) }
    } else {
      for (index, entry) in layout.entries.enumerated() {
        body(entry, ParameterBlock(entry: index, rows: 0..<entry.rows, numbers: entry.range))
      }
    }
  }

  /// Calls `body` with those numbers of some rows of a parameter that may not be zero: all of them, or each
  /// maximal range of touched rows of a row-sparse parameter.
  public func forEachTouched(
    _ entry: ParameterLayout.Entry, in block: ParameterBlock, _ body: (Range<Int>) -> Void
  ) {
    guard let rows = touchedRows(entry.parameter) else { return body(block.numbers) }
    rows.forEachRun(in: block.rows) { body(entry.range(ofRows: $0)) }
  }
}
