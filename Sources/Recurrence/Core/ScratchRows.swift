internal import LinearAlgebra
internal import Sequences

/// The number of rows of a layer's temporary memory.
public enum ScratchRows: Sendable {
  /// A fixed number of rows.
  case fixed(Int)
  /// One row per stream.
  case streams
  /// One row per step of every stream, but at most the given number.
  case each(of: Int)
  /// The rows of the largest block if the steps of all streams are divided evenly into blocks of at
  /// most the given number of rows. At least one row per stream, so that a single step fits.
  case blocks(of: Int)
  /// One row per step of the source.
  case sourceSteps
  /// One row per pair of a step and a source step, for one stream or for all.
  case pairs, pairsOfStreams

  func count(_ window: WindowSize) -> Double {
    switch self {
    case .sourceSteps: return Double(window.sourceSteps)
    case .pairs: return Double(window.steps) * Double(window.sourceSteps)
    case .pairsOfStreams: return Self.pairs.count(window) * Double(window.streams)
    case .fixed, .streams, .each, .blocks:
      return Double(
        max(
          count(steps: window.steps, streams: window.streams),
          count(steps: window.sourceSteps, streams: window.streams)))
    }
  }

  private func count(steps: Int, streams: Int) -> Int {
    switch self {
    case .sourceSteps, .pairs, .pairsOfStreams: return 0
    case .fixed(let rows): return rows
    case .streams: return streams
    case .each(let limit):
      let (rows, isTooMany) = steps.multipliedReportingOverflow(by: streams)
      return isTooMany ? limit : min(rows, limit)
    case .blocks(let limit):
      let (rows, isTooMany) = steps.multipliedReportingOverflow(by: streams)
      return max(isTooMany ? limit : evenBlock(of: rows, atMost: limit), streams)
    }
  }
}
