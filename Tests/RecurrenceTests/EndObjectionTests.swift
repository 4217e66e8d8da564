import Recurrence
import Testing

/// Which models and data do not go together.
@Suite struct `Ends that are predicted` {
  @Test func `are refused where sequences have none`() {
    let layers = [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))]
    let ends = ModelInterface.Ends(symbol: 1, longest: 4)
    for end in [EndOfSequence.halt, .length] {
      let options = ModelOptions(embedding: 3, layers: layers, end: end)
      var good = ModelInterface(input: .symbols(4), output: .symbols(4), ends: ends)
      #expect(options.objection(to: good) == nil)
      good.ends = nil
      #expect(options.objection(to: good)?.contains("model.end: \(end.rawValue)") == true)
      #expect(
        options.objection(to: ModelInterface(vocabulary: 4))?.contains("running text") == true)
      good.asksOnce = true
      #expect(options.objection(to: good)?.contains("one answer") == true)
      let tree = ModelOptions(
        embedding: 3, layers: [], tree: TreeOptions(.lstm, hidden: 4), end: end)
      let trees = ModelInterface(input: .symbols(4), output: .symbols(2), isTree: true)
      #expect(tree.objection(to: trees)?.contains("trees") == true)
      var both = options
      both.layers[0].bidirectional = .sum
      good = ModelInterface(input: .symbols(4), output: .symbols(4), ends: ends)
      #expect(both.objection(to: good)?.contains("bidirectional") == true)
    }
    #expect(
      ModelOptions(embedding: 3, layers: layers, end: .halt, lengthInput: .total).objection?
        .contains("length_input") == true)
  }
}
