/// Symbols to be repeated after a delay.
///
/// The inputs are `symbols` of 8 letters, `delay` − 1 blanks, a colon, and as many blanks as there
/// were letters. The targets are `delay` + `symbols` blanks, then the letters. A model that
/// predicts everything but the letters has a loss of S ln 8/(T + 2S) nats per step, with S symbols
/// and the delay T. Hochreiter & Schmidhuber 1997, in the form of Arjovsky, Shah & Bengio 2016.
public struct Copying: GeneratedTask {
  public static let summary = "blanks, and after a pause the symbols again"
  public static let source = "Arjovsky, Shah & Bengio 2016"

  public var symbols, delay: Int

  public init(symbols: Int = 10, delay: Int = 100) {
    self.symbols = symbols
    self.delay = delay
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    symbols = try keys.count(.symbols, default: 10, in: 1...largestLength)
    delay = try keys.count(.delay, default: 100, in: 1...largestLength)
  }

  public var outputs: [String] { ["a", "b", "c", "d", "e", "f", "g", "h", "_"] }
  public var inputs: [String] { outputs + [":"] }
  private static var blank: Int32 { 8 }
  private static var colon: Int32 { 9 }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    delay + 2 * symbols...delay + 2 * symbols
  }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let letters = (0..<symbols).map { _ in Int32(draw.number(below: 8)) }
    func blanks(_ count: Int) -> [Int32] { Array(repeating: Self.blank, count: count) }
    var example = Example()
    example.inputs = letters + blanks(delay - 1) + [Self.colon] + blanks(symbols)
    example.targets = blanks(delay + symbols) + letters
    return example
  }
}
