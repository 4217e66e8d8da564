import Recurrence
import Testing

/// Which models and data do not go together.
@Suite struct `Ends that are predicted` {
  @Test func `are refused where sequences have none`() {
    let layers = [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))]
    let ends = TaskSignature.Ends(symbol: 1, longest: 4)
    for end in [EndOfSequence.halt, .length] {
      let options = ModelOptions(embedding: 3, layers: layers, end: end)
      var good = TaskSignature(input: .symbols(4), output: .symbols(4), ends: ends)
      #expect(options.incompatibility(with: good) == nil)
      good.ends = nil
      #expect(options.incompatibility(with: good)?.contains("model.end: \(end.rawValue)") == true)
      #expect(
        options.incompatibility(with: TaskSignature(vocabulary: 4))?.contains("running text")
          == true)
      good.asksOnce = true
      #expect(options.incompatibility(with: good)?.contains("one target") == true)
      let tree = ModelOptions(
        embedding: 3, layers: [], tree: TreeOptions(.lstm, hidden: 4), end: end)
      let trees = TaskSignature(input: .symbols(4), output: .symbols(2), isTree: true)
      #expect(tree.incompatibility(with: trees)?.contains("trees") == true)
      var both = options
      both.layers[0].bidirectional = .sum
      good = TaskSignature(input: .symbols(4), output: .symbols(4), ends: ends)
      #expect(both.incompatibility(with: good)?.contains("bidirectional") == true)
    }
    #expect(
      ModelOptions(embedding: 3, layers: layers, end: .halt, lengthInput: .total).incompatibility?
        .contains("length_input") == true)
  }
}
