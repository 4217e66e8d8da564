import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Testing

@Suite struct `Tasks of numbers` {
  func answers(_ task: any GeneratedTask) -> [Double] {
    examples(generated(task, count: 4_000)).map { Double($0.values.last!) }
  }

  func variance(_ x: [Double]) -> Double {
    let mean = x.reduce(0, +) / Double(x.count)
    return x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
  }

  @Test func `Plain adding marks a number in each half and asks for their sum`() {
    for example in examples(generated(Adding(length: 31))) {
      let marked = (0..<31).filter { example.frames[2 * $0 + 1] == 1 }
      #expect(marked.count == 2 && marked[0] < 15 && marked[1] >= 15)
      let sum = marked.reduce(0) { $0 + example.frames[2 * $1] }
      #expect(abs(example.values[30] - sum) < 1e-6)
      #expect((0..<31).allSatisfy { (0..<1).contains(example.frames[2 * $0]) })
    }
    #expect(abs(variance(answers(Adding(length: 20))) - 1.0 / 6) < 0.015)
  }

  @Test func `Hochreiter's adding marks the ends, and counts a mark on the first as 0`() {
    var lengths: Set<Int> = []
    var seconds: Set<Int> = []
    var atFirst = 0
    for example in examples(generated(Adding(length: 100, form: .hochreiter), count: 2_000)) {
      let steps = example.steps
      lengths.insert(steps)
      func marker(_ t: Int) -> Real { example.frames[2 * t + 1] }
      #expect(marker(0) == -1 && marker(steps - 1) == -1)
      let marked = (0..<steps).filter { marker($0) == 1 }
      #expect((0..<steps).count { marker($0) == 0 } == steps - 2 - marked.count)
      if marked.count == 1 { atFirst += 1 } else { seconds.insert(marked[1]) }
      #expect(marked[0] < 50 && (marked.count == 1 || marked[1] < 50))
      let sum = marked.reduce(0) { $0 + example.frames[2 * $1] }
      #expect(abs(example.values[steps - 1] - (0.5 + sum / 4)) < 1e-6)
    }
    #expect(lengths == Set(100...110) && seconds.contains(49))
    // One of ten first marks, and one of 49 others.
    #expect((150...300).contains(atFirst))
    let error = variance(answers(Adding(length: 100, form: .hochreiter)))
    #expect(abs(error - 1.0 / 24) < 0.006)
  }

  @Test func `Multiplication asks for the product, and counts a mark on the first as 1`() {
    for example in examples(generated(Multiplication(length: 40))) {
      let marked = (0..<example.steps).filter { example.frames[2 * $0 + 1] == 1 }
      let product = marked.reduce(1) { $0 * example.frames[2 * $1] }
      #expect((1...2).contains(marked.count))
      #expect(abs(example.values[example.steps - 1] - product) < 1e-6)
    }
  }

  @Test func `NARMA follows its equation`() {
    let example = examples(generated(NARMA(length: 400, washout: 30), count: 1))[0]
    let (u, y) = (example.frames.map { Double($0) }, example.values.map { Double($0) })
    #expect(example.targets == Array(repeating: -1, count: 30) + Array(repeating: 0, count: 370))
    for t in 10..<399 {
      // values[t] is y(t + 1).
      let sum = (0...9).reduce(0) { $0 + y[t - 1 - $1] }
      let next = 0.3 * y[t - 1] + 0.05 * y[t - 1] * sum + 1.5 * u[t - 9] * u[t] + 0.1
      #expect(abs(y[t] - next) < 1e-6)
    }
    #expect(u.allSatisfy { (0..<0.5).contains($0) })
  }

  @Test func `A Mackey–Glass series is asked for one step ahead and follows its equation`() {
    let example = examples(generated(MackeyGlass(length: 2_000), count: 1))[0]
    #expect(example.frames.dropFirst() == example.values.dropLast())
    let x = example.frames.map { Double($0) }
    #expect(x.allSatisfy { (0.2..<1.4).contains($0) } && variance(x) > 0.03)
    // Simpson's rule over two steps: x(t + 1) − x(t − 1) = ∫ (0.2 d/(1 + d¹⁰) − 0.1 x).
    func slope(_ t: Int) -> Double { 0.2 * x[t - 17] / (1 + pow(x[t - 17], 10)) - 0.1 * x[t] }
    for t in 18..<1_999 {
      let integral = (slope(t - 1) + 4 * slope(t) + slope(t + 1)) / 3
      #expect(abs(x[t + 1] - x[t - 1] - integral) < 2e-3)
    }
    let euler = examples(generated(MackeyGlass(length: 2_000, method: .euler), count: 1))[0]
    #expect(euler.frames != example.frames)
  }
}
