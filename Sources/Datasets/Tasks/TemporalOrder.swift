/// The order of two or three symbols far apart; the target is at the end.
///
/// A sequence has 100 to 110 symbols: E first, B last, and a, b, c or d between them, except for an
/// X or Y at two positions in `6a` (10–20, 50–60) or at three in `6b` (10–20, 33–43, 66–76),
/// counted from 0. The target is one of the 4 or 8 orders. Hochreiter & Schmidhuber 1997,
/// experiments 6a and 6b.
public struct TemporalOrder: GeneratedTask {
  public static let summary = "the order of two (6a) or three (6b) symbols among others, at the end"
  public static let source = "Hochreiter & Schmidhuber 1997"

  public enum Form: String, Codable, Sendable, CaseIterable {
    case a = "6a"
    case b = "6b"

    var places: [ClosedRange<Int>] {
      self == .a ? [10...20, 50...60] : [10...20, 33...43, 66...76]
    }
  }

  public var form: Form

  public init(form: Form = .a) { self.form = form }

  public init(from decoder: any Decoder) throws {
    form = try decoder.container(keyedBy: CodingKeys.self).choice(.form, default: .a)
  }

  public let inputs = ["E", "B", "X", "Y", "a", "b", "c", "d"]
  public var outputs: [String] {
    form.places.reduce([""]) { names, _ in names.flatMap { [$0 + "X", $0 + "Y"] } }
  }
  private enum CodingKeys: CodingKey { case form }

  public var asksOnce: Bool { true }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { 100...110 }
  public func steps(_ part: TaskPart, _ draw: inout Draw) -> Int { draw.number(in: lengths(part)) }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let steps = steps(part, &draw)
    var example = Example()
    example.inputs = (0..<steps).map { _ in Int32(4 + draw.number(below: 4)) }
    example.inputs[0] = 0
    example.inputs[steps - 1] = 1
    var answer = 0
    for place in form.places {
      let isY = draw.coin()
      example.inputs[draw.number(in: place)] = isY ? 3 : 2
      answer = 2 * answer + (isY ? 1 : 0)
    }
    example.ask(once: answer, steps: steps)
    return example
  }
}
