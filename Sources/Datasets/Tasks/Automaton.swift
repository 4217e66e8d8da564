/// A finite automaton over 0 and 1 that can sample its strings of a given length uniformly.
struct Automaton: Sendable {
  /// The next state for 0 and for 1 of each state; strings begin in the first state.
  let next: [[Int]]
  let accepting: Set<Int>

  init(_ next: [[Int]], accepting: Set<Int>) {
    self.next = next
    self.accepting = accepting
  }

  func accepts(_ string: some Sequence<Int32>) -> Bool {
    accepting.contains(string.reduce(0) { next[$0][Int($1)] })
  }

  /// Returns the fraction of strings of n symbols that lead from each state to `answer`, for all n
  /// up to `length`.
  private func shares(_ answer: Bool, _ length: Int) -> [[Double]] {
    var shares = [next.indices.map { accepting.contains($0) == answer ? 1.0 : 0 }]
    for n in 0..<length {
      let shorter = shares[n]
      shares.append(next.map { (shorter[$0[0]] + shorter[$0[1]]) / 2 })
    }
    return shares
  }

  /// Samples an answer, a length for which strings with this answer exist, and one of these
  /// strings. If there is no such length, it takes the other answer.
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
