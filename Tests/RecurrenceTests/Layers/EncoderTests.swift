import AllocationCounter
import Recurrence
import Sequences
import Testing

/// Properties of models with an encoder; their derivatives are among those of all models of
/// sequences.
@Suite struct `Encoders and decoders` {
  @Test func `a training window allocates nothing`() {
    for (name, options, interface) in EncoderCases.all {
      let trial = SequenceTrial(SequenceModel(options, interface: interface, seed: 1))
      trial.run()
      allocation_counter_start()
      for _ in 0..<4 { trial.run() }
      let count = allocation_counter_stop()
      #expect(count == 0, "\(name) allocates \(count) times in four windows")
    }
  }

  @Test func `say which parts do not fit`() {
    let gru = LayerOptions(`Models of sequences`.gru(5))
    let encoder = EncoderOptions(embedding: 4, layers: [gru])
    let interface = EncoderCases.interface
    func incompatibility(
      _ change: (inout SequenceModelOptions) -> Void, to interface: TaskSignature = interface
    ) -> String? {
      var options = SequenceModelOptions(embedding: 3, layers: [gru], encoder: encoder)
      change(&options)
      return options.incompatibility(with: interface)
    }
    #expect(incompatibility { _ in } == nil)
    #expect(
      incompatibility({ _ in }, to: TaskSignature(vocabulary: 7))?.contains("no source") == true)
    #expect(incompatibility { $0.encoder = nil }?.contains("model.encoder") == true)
    #expect(
      incompatibility { $0.layers[0].bidirectional = .sum }?.contains("bidirectional") == true)
    #expect(
      incompatibility { $0.layers[0].surroundings.initialState = .learnt }?
        .contains("initial_state") == true)
    #expect(
      incompatibility {
        $0.layers[0].surroundings.initialState = .learnt
        $0.encoder!.context = .everyStep
      } == nil)
    #expect(incompatibility { $0.layers = [LayerOptions(.linear(3))] }?.contains("cell") == true)
    #expect(
      incompatibility { $0.encoder!.layers = [LayerOptions(.linear(3))] }?.contains("cell") == true)
    let dense = LayerOptions(.recurrent(cell: "dense", Dense.Options(hidden: 4)))
    #expect(incompatibility { $0.encoder!.layers = [dense] } == nil)
    #expect(incompatibility { $0.encoder!.layers = [gru, dense] }?.contains("every_step") == true)
    #expect(incompatibility { $0.layers = [dense] }?.contains("every_step") == true)
    #expect(
      incompatibility {
        $0.layers = [dense]
        $0.encoder!.context = .everyStep
        $0.encoder!.attention = AttentionOptions(.additive, at: .input)
      }?.contains("attention_place") == true)
    var conditioned = interface
    conditioned.condition = 2
    #expect(
      incompatibility({ $0.condition = .initialState }, to: conditioned)?.contains("both") == true)
    for (given, key) in [
      (#""attention": "additive""#, "attention"), (#""context": "both""#, "context"),
      (
        #""encoder": {"layers": [{"cell": "gru", "hidden": 4}]}, "attention_place": "input""#,
        "attention_place"
      ),
    ] {
      let refused = refusal(ofModel: #"{"layers": [{"cell": "gru", "hidden": 5}], \#(given)}"#)
      #expect(refused?.key == key)
      #expect(refused?.sentence.hasPrefix("\(key) needs a") == true)
    }
  }
}
