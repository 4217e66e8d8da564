/// A finite automaton over 0 and 1, whose strings of a length can be drawn with equal chances.
struct Automaton: Sendable {
  /// Where 0 and 1 lead from each state; the first state is where strings begin.
  let next: [[Int]]
  let accepting: Set<Int>

  init(_ next: [[Int]], accepting: Set<Int>) {
    self.next = next
    self.accepting = accepting
  }

  func accepts(_ string: some Sequence<Int32>) -> Bool {
    accepting.contains(string.reduce(0) { next[$0][Int($1)] })
  }

  /// The share of the strings of n symbols that lead from a state to the answer, for all n up to
  /// `length` and all states.
  private func shares(_ answer: Bool, _ length: Int) -> [[Double]] {
    var shares = [next.indices.map { accepting.contains($0) == answer ? 1.0 : 0 }]
    for n in 0..<length {
      let shorter = shares[n]
      shares.append(next.map { (shorter[$0[0]] + shorter[$0[1]]) / 2 })
    }
    return shares
  }

  /// Draws an answer, a length among those that have strings with this answer, and one of these strings.
  /// Where no length has any, the answer is the other one.
  func example(_ lengths: ClosedRange<Int>, _ draw: inout Draw) -> Example {
    var answer = draw.coin()
    var shares = shares(answer, lengths.upperBound)
    var possible = lengths.filter { shares[$0][0] > 0 }
    if possible.isEmpty {
      answer.toggle()
      shares = self.shares(answer, lengths.upperBound)
      possible = Array(lengths)
    }
    let length = possible[draw.number(below: possible.count)]
    var example = Example()
    var state = 0
    for left in (0..<length).reversed() {
      let (zero, one) = (shares[left][next[state][0]], shares[left][next[state][1]])
      let symbol = draw.uniform() * (zero + one) < zero ? 0 : 1
      example.inputs.append(Int32(symbol))
      state = next[state][symbol]
    }
    example.ask(once: answer ? 1 : 0, steps: length)
    return example
  }
}
