internal import Glibc

/// The grammar of Reber strings, or of embedded ones: a walk from state to state that writes a
/// symbol at each step. If two transitions are possible, both are equally likely.
///
///     0: B→1 · 1: T→2, P→3 · 2: S→2, X→4 · 3: T→3, V→5 · 4: X→3, S→6 · 5: P→4, V→6 · 6: E→end
///
/// Embedded: B, then T or P, a whole Reber string, the same T or P, E. Strings have 8 and 12
/// symbols on average; the entropy is 6 ln 2/7 and 7 ln 2/11 nats per symbol after the first. Reber
/// 1967; Cleeremans, Servan-Schreiber & McClelland 1989.
public struct ReberGrammar: Sendable {
  public static let symbols = ["B", "T", "S", "X", "P", "V", "E"]
  public static let plain = ReberGrammar(isEmbedded: false)
  public static let embedded = ReberGrammar(isEmbedded: true)

  /// The greatest length; longer strings, one in a hundred million, are sampled again.
  public static let longest = 64

  private struct Way {
    let symbol: Int32
    let next: Int
  }
  /// The transitions of each state; the last state is the end.
  private var ways: [[Way]] = []

  private init(isEmbedded: Bool) {
    guard isEmbedded else {
      addReber()
      ways.append([])
      return
    }
    add(state: "B", to: 1)
    ways.append([])
    for symbol in ["T", "P"] {
      ways[1].append(Way(symbol: Self.number(symbol), next: ways.count))
      addReber()
      add(state: symbol, to: 18)
    }
    add(state: "E", to: 19)
    ways.append([])
  }

  private mutating func add(state symbol: String, to next: Int) {
    ways.append([Way(symbol: Self.number(symbol), next: next)])
  }

  /// Appends the seven states of a Reber string. The last one leads to the state after them.
  private mutating func addReber() {
    let first = ways.count
    for state in ["B1", "T2 P3", "S2 X4", "T3 V5", "X3 S6", "P4 V6", "E7"] {
      ways.append(
        state.split(separator: " ").map {
          Way(symbol: Self.number(String($0.first!)), next: first + $0.last!.wholeNumberValue!)
        })
    }
  }

  private static func number(_ symbol: String) -> Int32 { Int32(symbols.firstIndex(of: symbol)!) }

  /// Returns the numbers of a string's symbols; nil if a symbol is not in the grammar.
  public static func numbers(_ string: String) -> [Int32]? {
    let numbers = string.compactMap { symbols.firstIndex(of: String($0)) }
    return numbers.count == string.count ? numbers.map { Int32($0) } : nil
  }

  func string(_ draw: inout Draw) -> [Int32] {
    while true {
      var string: [Int32] = []
      var state = 0
      while state < ways.count - 1 {
        let ways = ways[state]
        let way = ways[ways.count > 1 && draw.coin() ? 1 : 0]
        string.append(way.symbol)
        state = way.next
      }
      if string.count <= Self.longest { return string }
    }
  }

  private func state(after prefix: some Sequence<Int32>) -> Int? {
    var state = 0
    for symbol in prefix {
      guard let way = ways[state].first(where: { $0.symbol == symbol }) else { return nil }
      state = way.next
    }
    return state
  }

  /// Returns the possible next symbols: none after a whole string, nil if no string has this
  /// prefix.
  public func successors(of prefix: some Sequence<Int32>) -> [Int32]? {
    state(after: prefix).map { ways[$0].map(\.symbol) }
  }

  public func accepts(_ string: some Sequence<Int32>) -> Bool {
    state(after: string) == ways.count - 1
  }

  /// Returns the lowest average loss that any model can have on these strings, in nats per symbol
  /// after the first: Σ ln(number of legal symbols) / Σ symbols.
  /// - Precondition: The strings belong to the grammar.
  public func ideal(_ strings: some Sequence<[Int32]>) -> Double {
    var (nats, count) = (0.0, 0)
    for string in strings {
      var state = 0
      for (place, symbol) in string.enumerated() {
        if place > 0 { nats += log(Double(ways[state].count)) }
        state = ways[state].first { $0.symbol == symbol }!.next
      }
      count += string.count - 1
    }
    return nats / Double(count)
  }

  /// Makes an example whose targets are the next symbols.
  func example(_ draw: inout Draw) -> Example {
    let string = string(&draw)
    var example = Example()
    example.inputs = Array(string.dropLast())
    example.targets = Array(string.dropFirst())
    return example
  }
}
