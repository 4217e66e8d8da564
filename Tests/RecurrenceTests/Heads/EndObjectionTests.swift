import Recurrence
import Sequences
import Testing

/// Which models and data do not go together.
@Suite struct `Ends that are predicted` {
  @Test func `are refused where sequences have none`() {
    let layers = [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))]
    let ends = TaskSignature.Ends(symbol: 1, longest: 4)
    for end in [EndOfSequence.halt, .length()] {
      let options = SequenceModelOptions(embedding: 3, layers: layers, end: end)
      var good = TaskSignature(input: .symbols(4), output: .symbols(4), ends: ends)
      #expect(options.incompatibility(with: good) == nil)
      good.ends = nil
      #expect(options.incompatibility(with: good)?.contains("model.end: \(end.name)") == true)
      #expect(
        options.incompatibility(with: TaskSignature(vocabulary: 4))?.contains("running text")
          == true)
      good.asksOnce = true
      #expect(options.incompatibility(with: good)?.contains("one target") == true)
      let tree = refusal(
        ofModel:
          #"{"embedding": 3, "tree": {"cell": "lstm", "hidden": 4}, "end": "\#(end.name)"}"#)
      #expect(tree?.key == "end")
      #expect(tree?.sentence.contains("trees") == true)
      var both = options
      both.layers[0].bidirectional = .sum
      good = TaskSignature(input: .symbols(4), output: .symbols(4), ends: ends)
      #expect(both.incompatibility(with: good)?.contains("bidirectional") == true)
    }
    for (given, key) in [
      (#""end": "halt", "length_input": "total""#, "length_input"), (#""longest": 9"#, "longest"),
    ] {
      let refused = refusal(ofModel: #"{"layers": [{"cell": "gru", "hidden": 5}], \#(given)}"#)
      #expect(refused?.key == key)
      #expect(refused?.sentence.contains("needs a predicted length") == true)
    }
  }
}
