/// The next symbol of strings of the Reber grammar.
public struct Reber: GeneratedTask {
  public static let summary = "the next symbol of a Reber string; two are possible at a choice"
  public static let source = "Reber 1967"

  public init() {}
  public init(from decoder: any Decoder) throws {}
  public func encode(to encoder: any Encoder) throws {
    _ = encoder.container(keyedBy: NoKey.self)
  }

  public var inputs: [String] { ReberGrammar.symbols }
  public var outputs: [String] { ReberGrammar.symbols }
  public func lengths(_ part: TaskPart) -> ClosedRange<Int> { 4...ReberGrammar.longest - 1 }
  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    ReberGrammar.plain.example(&draw)
  }
}

/// The keys of a task without options.
enum NoKey: String, CodingKey { case none }
