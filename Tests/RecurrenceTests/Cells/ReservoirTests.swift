import LinearAlgebra
import Recurrence
import Sequences
import Testing

#if REAL_IS_DOUBLE
  /// Fixed layers, with and without learnt parameters around them.
  @Suite struct `Reservoirs` {
    static let surroundings = [
      RecurrentLayerOptions(initialState: .learnt),
      RecurrentLayerOptions(feedback: FeedbackOptions(width: 4)),
      RecurrentLayerOptions(initialState: .learnt, feedback: FeedbackOptions(width: 4)),
    ]

    @Test(arguments: surroundings) func `have the derivatives of what is learnt around them`(
      _ surroundings: RecurrentLayerOptions
    ) {
      let layer = LayerOptions(
        .recurrent(cell: "echo-state", EchoState.Options(hidden: 5, leak: 0.4, connections: 2)),
        surroundings: surroundings)
      let trial = SequenceTrial(
        SequenceModel(
          SequenceModelOptions(embedding: nil, layers: [layer]),
          interface: TaskSignature(input: .frames(SequenceTrial.frame), output: .numbers(2)),
          seed: 1))
      for (parameter, error, size) in trial.errors() {
        #expect(size > 0, "\(parameter) has no gradient")
        #expect(error < 1e-6, "\(parameter) is off by \(error)")
      }
    }
  }
#endif
