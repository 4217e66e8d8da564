import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Everything that can be built around a layer, with every cell of the registry.
@Suite struct `Every cell in every place` {
  static let symbols = TaskSignature.Input.symbols(SequenceTrial.symbols)
  static let frames = TaskSignature.Input.frames(SequenceTrial.frame)
  static let sourced = EncoderCases.interface
  static let lstm = LayerOptions(`Models of sequences`.lstm(5))
  static let gru = LayerOptions(`Models of sequences`.gru(4))

  /// A place that a layer may take, and what it asks of the layer.
  struct Place: CustomTestStringConvertible, Sendable {
    enum Need { case nothing, state, noTarget }
    let testDescription: String
    let need: Need
    let interface: TaskSignature
    let options: @Sendable (LayerOptions) -> SequenceModelOptions

    init(
      _ name: String, _ interface: TaskSignature, needs need: Need = .nothing,
      _ options: @escaping @Sendable (LayerOptions) -> SequenceModelOptions
    ) {
      (testDescription, self.need, self.interface, self.options) = (name, need, interface, options)
    }

    /// Returns true if a layer is refused there.
    func isRefused(_ cell: String, _ options: any CellOptions) -> Bool {
      let isFed = (options as? Jordan.Options)?.teacherForcing == true
      return switch need {
      case .nothing: false
      case .state: !options.hasState || isFed
      case .noTarget: isFed
      }
    }
  }

  private static let tags = TaskSignature(input: symbols, output: .symbols(6))
  private static let conditioned = TaskSignature(input: symbols, output: .symbols(6), condition: 2)
  private static let autonomous = TaskSignature(
    input: .nothing, output: .symbols(6), condition: 2)
  private static let ended = TaskSignature(
    input: symbols, output: .symbols(7), ends: TaskSignature.Ends(symbol: 2, longest: 8))

  static let places: [Place] = [
    Place("both directions side by side", tags, needs: .noTarget) {
      SequenceModelOptions(embedding: 3, layers: [turned($0, .concat)])
    },
    Place(
      "a summary of both directions",
      TaskSignature(input: frames, output: .symbols(6), asksOnce: true), needs: .noTarget
    ) { SequenceModelOptions(embedding: nil, layers: [turned($0, .sum)]) },
    Place("a shortcut around it", tags) {
      var layer = $0
      layer.residual = true
      return SequenceModelOptions(embedding: $0.width, layers: [layer])
    },
    Place("the encoder, to the initial state", sourced, needs: .noTarget) {
      SequenceModelOptions(
        embedding: 3, layers: [lstm], encoder: EncoderOptions(embedding: 4, layers: [$0]))
    },
    Place("the encoder in both directions, both contexts", sourced, needs: .noTarget) {
      SequenceModelOptions(
        embedding: 3, layers: [gru, lstm],
        encoder: EncoderOptions(embedding: 4, layers: [turned($0, .concat)], context: .both))
    },
    Place("below an encoder's gru, with attention", sourced, needs: .noTarget) {
      SequenceModelOptions(
        embedding: 3, layers: [lstm],
        encoder: EncoderOptions(
          embedding: 4, layers: [$0, gru], context: .both, attention: AttentionOptions(.additive)))
    },
    Place("above an encoder's gru", sourced, needs: .noTarget) {
      SequenceModelOptions(
        embedding: 3, layers: [lstm],
        encoder: EncoderOptions(embedding: 3, layers: [gru, $0], context: .both))
    },
    Place("the decoder, from the initial state", sourced, needs: .state) {
      SequenceModelOptions(
        embedding: 3, layers: [$0], encoder: EncoderOptions(embedding: 4, layers: [lstm]))
    },
    Place("the decoder, reading the context", sourced) {
      SequenceModelOptions(
        embedding: 3, layers: [$0],
        encoder: EncoderOptions(
          embedding: 4, layers: [gru], context: .everyStep,
          attention: AttentionOptions(.multiplicative)))
    },
    Place("the decoder, looking back", sourced, needs: .state) {
      SequenceModelOptions(
        embedding: 3, layers: [$0],
        encoder: EncoderOptions(
          embedding: 4, layers: [gru], context: .everyStep,
          attention: AttentionOptions(.additive, at: .input)))
    },
    Place("a condition at every step", conditioned) {
      SequenceModelOptions(embedding: 3, layers: [$0], condition: .everyStep)
    },
    Place("a condition at the first step", conditioned) {
      SequenceModelOptions(embedding: 3, layers: [$0], condition: .firstInput)
    },
    Place("a condition as the initial state", conditioned, needs: .state) {
      SequenceModelOptions(embedding: 3, layers: [$0], condition: .initialState)
    },
    Place("a condition as the initial state, below a gru", conditioned) {
      SequenceModelOptions(embedding: 3, layers: [$0, gru], condition: .initialState)
    },
    Place("nothing to read but a condition", autonomous) {
      SequenceModelOptions(embedding: nil, layers: [$0], condition: .everyStep)
    },
    Place("a length that remains", ended) {
      SequenceModelOptions(embedding: 3, layers: [$0], end: .length())
    },
    Place("a length, with an output fed back", ended) {
      var layer = $0
      layer.surroundings.feedback = FeedbackOptions(width: 3)
      return SequenceModelOptions(embedding: 3, layers: [layer], end: .length(input: .total))
    },
    Place("targets fed back", tags) {
      var layer = $0
      layer.surroundings.feedsTargets = true
      return SequenceModelOptions(embedding: 3, layers: [layer])
    },
    Place("labels fed back", TaskSignature(input: frames, output: .labels(6))) {
      var layer = $0
      layer.surroundings.feedsTargets = true
      return SequenceModelOptions(embedding: nil, layers: [layer])
    },
  ]

  private static func turned(
    _ layer: LayerOptions, _ combination: Bidirectional.Combination
  ) -> LayerOptions {
    var layer = layer
    layer.bidirectional = combination
    return layer
  }

  /// Calls `body` with a model of every cell and every variant of its options in a place.
  private func forEveryModel(
    _ place: Place,
    _ body: (String, SequenceModelOptions, [(name: String, isReached: Bool)]) throws -> Void
  ) rethrows {
    try forEveryCell(hidden: WindowTrial.hidden) { cell, _, options in
      let what = "\(cell) \(options)"
      let model = place.options(LayerOptions(.recurrent(cell: cell, options)))
      guard !place.isRefused(cell, options) else { return }
      // Long delays and slow modules need more steps than a sequence has.
      let isShort = cell == "skip" || cell == "clockwork"
      // Units of relu may be shut, and a second-order network with nothing in its state is blind.
      let isShut =
        what.contains("relu")
        || cell == "second-order" && model.condition == .firstInput
      // μ of RWKV's decay needs a state before a step and another input: here all inputs are alike.
      let isConstant = place.interface.input == .nothing
      // The output of this cell is none of its states, and a decoder may begin with these alone.
      let isBehindStates = cell == "xlstm-slstm" && model.encoder != nil
      let plan = SequenceModel(model, interface: place.interface, seed: 1).plan
      try body(
        what, model,
        ParameterLayout(plan).entries.map { entry in
          let isUnseen =
            isShort && entry.name.contains("weight_hh") || isConstant && entry.name.contains("x_w")
            || isBehindStates && entry.name.hasPrefix("source.")
          return (entry.name, !isShut && !isUnseen)
        })
    }
  }

  @Test(arguments: places)
  func `is refused in one sentence where it makes no sense, and nowhere else`(place: Place) {
    forEveryCell(hidden: WindowTrial.hidden) { cell, _, options in
      let model = place.options(LayerOptions(.recurrent(cell: cell, options)))
      let incompatibility = model.incompatibility(with: place.interface)
      #expect(
        (incompatibility != nil) == place.isRefused(cell, options),
        "\(cell) \(options): \(incompatibility ?? "taken")")
    }
  }

  #if REAL_IS_DOUBLE
    @Test(arguments: places) func `has the derivatives of the loss`(place: Place) {
      forEveryModel(place) { what, options, parameters in
        let trial = SequenceTrial(
          SequenceModel(options, interface: place.interface, seed: 1), spread: 0.7)
        for ((name, error, size), parameter) in zip(trial.errors(), parameters) {
          #expect(name == parameter.name)
          #expect(size > 0 || !parameter.isReached, "\(what): \(name) has no gradient")
          // Central differences of a loss of some tens are exact to about 1e-9.
          let isExact = error * size < 1e-6 * max(size, 1e-2)
          #expect(isExact, "\(what): \(name) is off by \(error) of \(size)")
        }
      }
    }
  #else
    @Test(arguments: places) func `is computed alike however much padding there is`(place: Place) {
      forEveryModel(place) { what, options, _ in
        let trial = SequenceTrial(SequenceModel(options, interface: place.interface, seed: 1))
        let loss = trial.run()
        for (s, length) in SequenceTrial.lengths.enumerated() {
          for t in length..<SequenceTrial.steps {
            let row = t * SequenceTrial.streams + s
            trial.batch.inputs.elements()[row] = 6
            for j in 0..<trial.batch.widths.features { trial.batch.featureRows[row, j] = 9 }
          }
        }
        #expect(trial.run() == loss && loss.isFinite, "\(what): padding is seen")
      }
    }
  #endif
}
