public import LinearAlgebra

/// One window of parallel streams of symbols, time-major: row `t · streams + s` is step t of stream s.
public final class Batch: @unchecked Sendable {
  /// A target that asks for nothing: the head leaves the row out.
  public static let noTarget: Int32 = -1

  /// The symbol read at each step.
  public let inputs: Buffer<Int32>
  /// The symbol to be predicted at each step, or `noTarget`.
  public let targets: Buffer<Int32>
  /// 1 where the stream starts anew: its state is zero before it reads this step's input.
  public let resets: Buffer<UInt8>
  /// Whether any entry of `resets` is 1; must be set by whoever fills in the batch.
  public var hasResets = false

  /// The different ones of `inputs`, as the last `Pass` over this batch found them.
  public let distinct: DistinctSymbols

  public private(set) var steps = 0
  public private(set) var streams = 0
  /// Epochs from 1, the position of step 0 in its stream, and the global index of stream 0: what
  /// dropout is keyed by, so that no rank's random numbers depend on how many ranks there are.
  public var epoch = 1
  public var position = 0
  public var firstStream = 0

  /// Room for up to `rows` rows of steps × streams.
  public init(rows: Int) {
    inputs = Buffer(count: rows)
    targets = Buffer(count: rows)
    resets = Buffer(count: rows)
    distinct = DistinctSymbols(rows: rows)
  }

  /// Lays the batch out for a window; whoever calls fills in every row.
  public func begin(steps: Int, streams: Int) {
    precondition(
      steps * streams <= inputs.count,
      "a window of \(steps) × \(streams) in a batch of \(inputs.count) rows")
    self.steps = steps
    self.streams = streams
    hasResets = false
  }

  public var rows: Int { steps * streams }

  /// Finds the different inputs; a `Pass` does it when it begins, so nobody who fills in a batch has to.
  func findDistinct() { distinct.find(in: inputs, rows: rows) }

  /// Whether anything is to be predicted in a row.
  func hasTarget(_ row: Int) -> Bool { targets.start[row] != Self.noTarget }
}
