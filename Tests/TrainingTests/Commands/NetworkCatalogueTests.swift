import Foundation
import Recurrence
import Testing
import Training

@Suite("The catalogue of networks") struct NetworkCatalogueTests {
  let catalogue = NetworkCatalogue()

  @Test("has every cell of the registry, each with equations, options and parameters")
  func complete() {
    #expect(catalogue.cells.map(\.name) == cells.keys.sorted())
    for cell in catalogue.cells {
      #expect(!cell.equations.isEmpty && !cell.source.isEmpty && !cell.example.isEmpty)
      #expect(cell.options.first?.key == "hidden" && cell.options.first?.standard == nil)
      #expect(catalogue.words.contains("  \(cell.name)   "))
      if cell.name == "echo-state" {
        #expect(cell.parameters.isEmpty, "a reservoir that is learnt")
        continue
      }
      #expect(cell.parameters.first?.name == "weight_ih")
      // Every shape is told in words.
      let shapes = cell.parameters.flatMap(\.shape)
      #expect(shapes.count > 1 && shapes.allSatisfy { Int($0) == nil }, "\(cell.name): \(shapes)")
    }
  }

  @Test("knows defaults, choices and shapes of the LSTM") func lstm() throws {
    let lstm = try #require(catalogue.cells.first { $0.name == "lstm" })
    #expect(
      lstm.options.map(\.key) == [
        "hidden", "biases", "chrono", "coupled", "forget_bias", "layer_norm", "peephole",
        "projection",
      ])
    #expect(
      lstm.options.map(\.standard) == [
        nil, .integer(2), .null, .bool(false), .null, .bool(false), .string("none"), .null,
      ])
    #expect(lstm.options[6].others == [.string("gers"), .string("previous")])
    #expect(
      lstm.parameters.map(\.shape) == [
        ["4·hidden", "input"], ["4·hidden", "hidden"], ["4·hidden"], ["4·hidden"],
      ])
    #expect(lstm.further["peephole: gers"]?.map(\.name) == ["weight_peephole"])
    #expect(
      lstm.further["projection: P"]?.map(\.shape) == [["4·hidden", "P"], ["P", "hidden"]])
    #expect(
      lstm.further["coupled: true"]?.map(\.shape) == [
        ["3·hidden", "input"], ["3·hidden", "hidden"], ["3·hidden"], ["3·hidden"],
      ])
    #expect(
      lstm.further["layer_norm: true"]?.map(\.name) == ["gain_ih", "bias_c", "gain_c", "gain_hh"])
    // 4·200·(100 + 200 + 2)
    #expect(lstm.example == "hidden 200 reading 100 has 241600 parameters")
  }

  @Test("knows shapes that are no multiples of hidden × input")
  func otherShapes() throws {
    let dense = try #require(catalogue.cells.first { $0.name == "dense" })
    #expect(dense.further["taps: 2"]?.map(\.shape) == [["hidden", "2·input"]])
    let second = try #require(catalogue.cells.first { $0.name == "second-order" })
    #expect(second.parameters.map(\.shape) == [["hidden·hidden", "input"], ["hidden"]])
    let multiplicative = try #require(catalogue.cells.first { $0.name == "multiplicative" })
    #expect(
      multiplicative.parameters.map(\.shape) == [
        ["2·hidden", "input"], ["hidden", "hidden"], ["hidden", "hidden"], ["hidden"],
      ])
  }

  @Test("knows layers inside a step") func deepTransition() throws {
    let deep = try #require(catalogue.cells.first { $0.name == "deep-transition" })
    #expect(deep.options.map(\.key) == ["hidden", "nonlinearity", "shortcut", "transition"])
    #expect(deep.options[3].standard == .null && deep.options[3].others == [.string("[units, …]")])
    #expect(
      deep.parameters.map(\.name) == [
        "weight_ih", "weight_hh", "weight_transition_2", "bias_ih", "bias_transition_2",
      ])
    #expect(deep.further["shortcut: true"]?.map(\.name) == ["weight_shortcut"])
    #expect(
      deep.further["transition: [2·hidden]"]?.map(\.shape) == [
        ["2·hidden", "input"], ["2·hidden", "hidden"], ["hidden", "2·hidden"], ["2·hidden"],
      ])
  }

  @Test("is JSON too") func json() throws {
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(try catalogue.json.utf8)) as? [String: Any])
    #expect((json["cells"] as? [Any])?.count == cells.count)
    #expect(Set(json.keys) == ["cells", "layers", "heads", "layer_options"])
  }
}
