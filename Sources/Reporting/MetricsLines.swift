internal import Foundation

/// The lines of a metrics file on disk, found without reading those before them.
struct MetricsLines {
  private let handle: FileHandle
  private let size: UInt64
  private static let piece = 4096

  init(_ handle: FileHandle, size: UInt64) {
    self.handle = handle
    self.size = size
  }

  private struct Line {
    var place: Range<UInt64>
    /// The step of the line; nil if it is not a whole line of metrics.
    var step: Int?
    var isTest = false
  }

  /// Returns the end of the last line of a step up to `step`, without a line of the test, which is
  /// written again at the end of the run.
  func end(through step: Int) throws -> UInt64 {
    var end = try start(after: step)
    while end > 0 {
      let last = try line(at: try lineStart(before: end - 1))
      if last.step != nil && !last.isTest { break }
      end = last.place.lowerBound
    }
    return end
  }

  /// Returns the position of the first line of a step beyond `step`, by bisection.
  private func start(after step: Int) throws -> UInt64 {
    // Lines that begin before `low` have steps up to `step`; the one at `high`, if any, does not.
    var (low, high) = (UInt64(0), size)
    while low < high {
      var found = try line(at: try lineStart(before: low + (high - low) / 2))
      // A line that a killed run left half-written has no step.
      while found.step == nil, found.place.upperBound < high {
        found = try line(at: found.place.upperBound)
      }
      guard let number = found.step else {
        // There are only such lines until `high`: search before them.
        high = try lineStart(before: low + (high - low) / 2)
        continue
      }
      if number <= step {
        low = found.place.upperBound
      } else {
        high = try lineStart(before: low + (high - low) / 2)
      }
    }
    return high
  }

  /// Returns the start of the line that contains a position.
  private func lineStart(before place: UInt64) throws -> UInt64 {
    var end = place
    while end > 0 {
      let start = end > Self.piece ? end - UInt64(Self.piece) : 0
      let bytes = try read(start..<end)
      if let mark = bytes.lastIndex(of: UInt8(ascii: "\n")) {
        return start + UInt64(mark - bytes.startIndex) + 1
      }
      end = start
    }
    return 0
  }

  private func line(at start: UInt64) throws -> Line {
    var bytes = Data()
    while start + UInt64(bytes.count) < size {
      let next = start + UInt64(bytes.count)
      let more = try read(next..<min(next + UInt64(Self.piece), size))
      if let mark = more.firstIndex(of: UInt8(ascii: "\n")) {
        bytes += more[..<mark]
        let end = start + UInt64(bytes.count) + 1
        let values = try? JSONDecoder().decode(Values.self, from: bytes)
        return Line(
          place: start..<end, step: values?.step, isTest: values?.test_loss?.isThere == true)
      }
      if more.isEmpty { break }
      bytes += more
    }
    return Line(place: start..<size)
  }

  private func read(_ range: Range<UInt64>) throws -> Data {
    try handle.seek(toOffset: range.lowerBound)
    return try handle.read(upToCount: Int(range.upperBound - range.lowerBound)) ?? Data()
  }

  private struct Values: Decodable {
    let step: Int
    let test_loss: Anything?
  }

  /// A number, or the name of one that is not finite.
  private struct Anything: Decodable {
    let isThere = true
    init(from decoder: any Decoder) throws {}
  }
}
