/// The next symbol of strings of the embedded Reber grammar. The last symbol but one repeats the
/// second, which must be remembered through a whole Reber string.
public struct EmbeddedReber: GeneratedTask {
  public static let summary =
    "the next symbol of an embedded Reber string; the last but one is the second"
  public static let source = "Cleeremans, Servan-Schreiber & McClelland 1989"

  public init() {}
  public init(from decoder: any Decoder) throws {}
  public func encode(to encoder: any Encoder) throws {
    _ = encoder.container(keyedBy: NoKey.self)
  }

  public var inputs: [String] { ReberGrammar.symbols }
  public var outputs: [String] { ReberGrammar.symbols }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { 8...ReberGrammar.longest - 1 }
  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    ReberGrammar.embedded.example(&draw)
  }
}
