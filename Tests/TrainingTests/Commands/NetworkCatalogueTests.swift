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
      #expect(cell.parameters.first?.name == "weight_ih")
      // Every shape is told in words.
      let shapes = cell.parameters.flatMap(\.shape)
      #expect(shapes.count > 2 && shapes.allSatisfy { Int($0) == nil }, "\(cell.name): \(shapes)")
      #expect(catalogue.words.contains("  \(cell.name)   "))
    }
  }

  @Test("knows defaults, choices and shapes of the LSTM") func lstm() throws {
    let lstm = try #require(catalogue.cells.first { $0.name == "lstm" })
    #expect(
      lstm.options.map(\.key) == ["hidden", "biases", "forget_bias", "peephole", "projection"])
    #expect(
      lstm.options.map(\.standard) == [nil, .integer(2), .null, .string("none"), .null])
    #expect(lstm.options[3].others == [.string("gers"), .string("previous")])
    #expect(
      lstm.parameters.map(\.shape) == [
        ["4·hidden", "input"], ["4·hidden", "hidden"], ["4·hidden"], ["4·hidden"],
      ])
    #expect(lstm.further["peephole: gers"]?.map(\.name) == ["weight_peephole"])
    #expect(
      lstm.further["projection: P"]?.map(\.shape) == [["4·hidden", "P"], ["P", "hidden"]])
    // 4·200·(100 + 200 + 2)
    #expect(lstm.example == "hidden 200 reading 100 has 241600 parameters")
  }

  @Test("is JSON too") func json() throws {
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(try catalogue.json.utf8)) as? [String: Any])
    #expect((json["cells"] as? [Any])?.count == cells.count)
    #expect(Set(json.keys) == ["cells", "layers", "heads", "layer_options"])
  }
}
