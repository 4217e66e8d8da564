internal import LinearAlgebra

/// How many rows a layer's passing memory has.
public enum ScratchRows: Sendable {
  /// So many, whatever the window.
  case fixed(Int)
  /// One for every stream.
  case streams
  /// One for every step of every stream, or for each of so many things where there are fewer of
  /// them.
  case each(of: Int)
  /// Those of the largest block when the steps of all streams are cut evenly into blocks of at most
  /// so many rows; at least one for every stream, since a step may be taken by itself.
  case blocks(of: Int)
  /// One for every step of the source.
  case sourceSteps
  /// One for every step together with every step of the source, of one stream or of all.
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
