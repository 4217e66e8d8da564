import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// h(t) = x(t) W + b + h(t−1): a cell that no registry has.
private struct Adder: RecurrentCell {
  struct Options: CellOptions { var hidden: Int }

  static let equations = "h = x W + b + h₋"
  static let citation = ""
  static let gates = 1

  static func variants(hidden: Int) -> [Options] { [Options(hidden: hidden)] }

  let preactivation, output: Activation

  init(_ options: Options, in plan: inout Plan) {
    preactivation = plan.activation(options.hidden, derivative: .overwrites)
    output = plan.state(options.hidden)
  }

  func forward(_ t: Int, _ pass: Pass) {
    pass[output, t].copy(pass[preactivation, t])
    pass[output, t].add(pass.before(output, t))
  }

  func backward(_ t: Int, _ pass: Pass) {
    pass.d[preactivation, t].copy(pass.d[output, t])
    pass.d.before(output, t).add(pass.d[output, t])
  }

  func accumulate(_ pass: Pass) {}
}

@Suite struct `Cells of other modules` {
  private let layer = #"{"cell": "adder", "hidden": 4}"#

  private func decode() throws -> LayerOptions {
    try JSONDecoder().decode(LayerOptions.self, from: Data(layer.utf8))
  }

  @Test func `a layer may have them inside of withCells alone`() throws {
    #expect(throws: DecodingError.self) { try decode() }
    let options = try withCells(["adder": Adder.self]) { try decode() }
    #expect(options == LayerOptions(.recurrent(cell: "adder", Adder.Options(hidden: 4))))
    #expect(throws: DecodingError.self) { try decode() }
  }

  @Test func `a scope inside of another adds to it`() throws {
    try withCells(["other": Adder.self]) {
      _ = try withCells(["adder": Adder.self]) { try decode() }
      #expect(throws: DecodingError.self) { try decode() }
    }
  }

  @Test func `a misspelled name is told theirs`() throws {
    let wrong = Data(#"{"cell": "adde", "hidden": 4}"#.utf8)
    let error = #expect(throws: DecodingError.self) {
      try withCells(["adder": Adder.self]) {
        try JSONDecoder().decode(LayerOptions.self, from: wrong)
      }
    }
    #expect("\(try #require(error))".contains("adder"))
  }

  @Test func `a model of them computes gradients outside of the scope, too`() throws {
    let options = SequenceModelOptions(
      embedding: 3, layers: [LayerOptions(.recurrent(cell: "adder", Adder.Options(hidden: 5)))])
    let model = withCells(["adder": Adder.self]) {
      SequenceModel(
        options, interface: TaskSignature(input: .symbols(7), output: .symbols(7)), seed: 1)
    }
    let trial = SequenceTrial(model)
    trial.run(training: true)

    let entry = try #require(trial.gradient.layout.entries.first { $0.name == "rnn.bias_ih_l0" })
    #expect(trial.gradient[entry][0].elements.contains { $0 != 0 })
  }
}
