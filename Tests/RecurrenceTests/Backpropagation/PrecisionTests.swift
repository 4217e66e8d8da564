import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Testing

/// Gradients in single precision against those of the build in double precision, which are kept in
/// Tests/Oracles/gradients.json. `UNROLL_REAL=double UNROLL_WRITE_ORACLES=1 swift test` writes the file
/// anew.
@Suite struct `Single precision` {
  @Test func `gradients of every cell and option in both precisions agree`() throws {
    var computed: [String: [String: [Double]]] = [:]
    forEveryCell(hidden: WindowTrial.hidden) { name, cell, options in
      let trial = WindowTrial(name, cell, options)
      // Numbers that both precisions hold exactly, so that both have the same network.
      trial.weights.update { weights in
        for k in 0..<weights.buffer.count {
          weights.buffer.start[k] = (weights.buffer.start[k] * 256).rounded() / 256
        }
      }
      trial.fill(window: 0)
      trial.run(training: false)
      trial.tape.carryStates()
      trial.fill(window: 1, resets: [(2, 1)])
      trial.run(training: true)
      computed["\(name) \(options)"] = Dictionary(
        uniqueKeysWithValues: trial.gradient.layout.entries.map {
          ($0.name, trial.gradient.elements(of: $0).map { Double($0) })
        })
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    if ProcessInfo.processInfo.environment["UNROLL_WRITE_ORACLES"] != nil {
      try #require(MemoryLayout<Real>.size == 8, "the file is written in double precision")
      try encoder.encode(computed).write(to: oracleFile("gradients"))
    }
    let kept: [String: [String: [Double]]] = oracle("gradients")
    // A new cell may wait for its numbers, an option of one that has numbers may not.
    func name(_ key: String) -> Substring { key.prefix { $0 != " " } }
    let known = Set(kept.keys.map(name))
    #expect(
      Set(kept.keys) == Set(computed.keys.filter { known.contains(name($0)) }),
      "write the file anew, in double precision: see docs/testing.md")
    let tolerance = MemoryLayout<Real>.size == 8 ? 1e-10 : 1e-4
    for (cell, gradients) in computed where known.contains(name(cell)) {
      for (parameter, values) in gradients {
        let exact = try #require(kept[cell]?[parameter], "\(cell): \(parameter)")
        let size = exact.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let error = zip(values, exact).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        #expect(values.count == exact.count)
        #expect(error <= tolerance * size, "\(cell): \(parameter) is off by \(error / size)")
      }
    }
  }
}
