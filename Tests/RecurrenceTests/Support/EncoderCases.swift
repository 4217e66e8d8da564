import Recurrence
import Sequences

/// Models with an encoder that between them use every way of handing over what it has read.
enum EncoderCases {
  typealias Case = (name: String, options: SequenceModelOptions, interface: TaskSignature)

  static let interface = TaskSignature(
    input: .symbols(SequenceTrial.symbols), output: .symbols(SequenceTrial.symbols),
    source: SequenceTrial.symbols)

  static var all: [Case] { symbols + frames }

  private static var symbols: [Case] { contexts + attentions + others }

  /// The same models with an encoder that reads frames of numbers.
  private static var frames: [Case] {
    symbols.map { name, options, interface in
      var (options, interface) = (options, interface)
      options.encoder!.embedding = nil
      (interface.source, interface.sourceFrames) = (0, 4)
      return ("of frames: \(name)", options, interface)
    }
  }

  private static func lstm(_ hidden: Int) -> LayerOptions {
    LayerOptions(`Models of sequences`.lstm(hidden))
  }
  private static func gru(_ hidden: Int) -> LayerOptions {
    LayerOptions(`Models of sequences`.gru(hidden))
  }
  private static func both(_ layer: LayerOptions) -> LayerOptions {
    var layer = layer
    layer.bidirectional = .concat
    return layer
  }

  /// The layers that the plain context is tested with.
  private static let shapes: [(name: String, encoder: [LayerOptions], decoder: [LayerOptions])] = [
    ("lstm to lstm", [lstm(5)], [lstm(5)]),
    ("gru to lstm over a bridge", [gru(4)], [lstm(5)]),
    ("both directions", [both(lstm(3))], [lstm(6)]),
    ("two layers to three", [gru(4), lstm(5)], [gru(4), lstm(5), lstm(3)]),
    ("dense alone", [dense(4)], [lstm(5)]),
    ("dense below", [dense(3), gru(4)], [gru(4)]),
    ("linear below", [LayerOptions(.linear(3)), gru(4)], [dense(6), gru(4)]),
  ]

  /// Top layers that have no state to hand over: something has to read what they put out.
  private static let stateless: [(name: String, encoder: [LayerOptions], decoder: [LayerOptions])] =
    [
      ("dense above", [gru(4), dense(3)], [gru(4), lstm(5)]),
      ("dense of the last inputs in both directions above", [gru(4), both(dense(3))], [lstm(5)]),
      ("linear above", [gru(4), LayerOptions(.linear(3))], [gru(5)]),
      ("a shortcut around dense", [gru(4), around(dense(4))], [gru(5)]),
    ]

  private static func dense(_ hidden: Int) -> LayerOptions {
    LayerOptions(.recurrent(cell: "dense", Dense.Options(hidden: hidden, taps: 2)))
  }
  private static func around(_ layer: LayerOptions) -> LayerOptions {
    var layer = layer
    layer.residual = true
    return layer
  }

  private static var contexts: [Case] {
    let places =
      shapes.map { ($0, ContextPlace.allCases) } + stateless.map { ($0, [.everyStep, .both]) }
    return places.flatMap { shape, places in
      let (name, encoder, decoder) = shape
      return places.map { place in
        (
          "\(name), context \(place.rawValue)",
          SequenceModelOptions(
            embedding: 3, layers: decoder,
            encoder: EncoderOptions(embedding: 4, layers: encoder, context: place)), interface
        )
      }
    }
  }

  private static var attentions: [Case] {
    [AttentionKind.additive, .multiplicative].flatMap { kind in
      var held = gru(5)
      held.surroundings.zoneout = 0.3
      held.surroundings.feedback = FeedbackOptions(width: 4)
      return [
        (
          "attention \(kind.rawValue) before each step",
          SequenceModelOptions(
            embedding: 3, layers: [gru(5)],
            encoder: EncoderOptions(
              embedding: 4, layers: [both(lstm(4))], attention: AttentionOptions(kind, at: .input))),
          interface
        ),
        (
          "attention \(kind.rawValue) before each step of two layers, the first held and fed back",
          SequenceModelOptions(
            embedding: 3, layers: [held, lstm(4)],
            encoder: EncoderOptions(
              embedding: 4, layers: [gru(4)], context: .both,
              attention: AttentionOptions(kind, at: .input))), interface
        ),
        (
          "attention \(kind.rawValue)",
          SequenceModelOptions(
            embedding: 3, layers: [gru(5)],
            encoder: EncoderOptions(
              embedding: 4, layers: [both(gru(4))], attention: AttentionOptions(kind))),
          interface
        ),
        (
          "attention \(kind.rawValue) of two layers, with a shortcut",
          SequenceModelOptions(
            embedding: 3, layers: [lstm(5), lstm(4)], shortcut: true,
            encoder: EncoderOptions(
              embedding: nil, layers: [lstm(5)], context: .everyStep,
              attention: AttentionOptions(kind))), interface
        ),
      ]
    }
  }

  private static var others: [Case] {
    let withoutStates: [Case] = [AttentionKind.additive, .multiplicative].flatMap { kind in
      [[dense(4)], [dense(3), gru(4)], [gru(3), dense(4)]].map { layers in
        (
          "attention \(kind.rawValue) over \(layers.count) layers, one of them dense",
          SequenceModelOptions(
            embedding: 3, layers: [lstm(5)],
            encoder: EncoderOptions(
              embedding: 4, layers: layers, context: .both,
              attention: AttentionOptions(kind, at: layers.count == 1 ? .output : .input))),
          interface
        )
      }
    }
    var held = lstm(5)
    held.surroundings.zoneout = 0.3
    var fedBack = gru(5)
    fedBack.surroundings.feedback = FeedbackOptions(width: 4)
    var residual = gru(4)
    residual.residual = true
    return withoutStates + [
      (
        "zoneout and feedback",
        SequenceModelOptions(
          embedding: 3, layers: [held], encoder: EncoderOptions(embedding: 4, layers: [fedBack])),
        interface
      ),
      (
        "zoneout in the encoder, a tied decoder",
        SequenceModelOptions(
          embedding: 5, layers: [lstm(5)], tied: true,
          encoder: EncoderOptions(
            embedding: 4, layers: [held], attention: AttentionOptions(.multiplicative))), interface
      ),
      (
        "a linear layer on top and a residual one",
        SequenceModelOptions(
          embedding: 4, layers: [residual, LayerOptions(.linear(3))],
          encoder: EncoderOptions(
            embedding: 4, layers: [residual, LayerOptions(.linear(3))], context: .both,
            attention: AttentionOptions(.additive))), interface
      ),
      (
        "dropout",
        SequenceModelOptions(
          embedding: 3, layers: [gru(5)], dropout: 0.3,
          encoder: EncoderOptions(
            embedding: 4, layers: [both(gru(4))], dropout: 0.4,
            attention: AttentionOptions(.multiplicative))), interface
      ),
      (
        "variational dropout",
        SequenceModelOptions(
          embedding: 3, layers: [lstm(5)], dropout: 0.3, variational: true,
          encoder: EncoderOptions(embedding: 4, layers: [gru(4)])), interface
      ),
      (
        "a condition besides",
        SequenceModelOptions(
          embedding: 3, layers: [gru(5)], condition: .initialState,
          encoder: EncoderOptions(embedding: 4, layers: [gru(4)], context: .everyStep)),
        TaskSignature(
          input: interface.input, output: interface.output, condition: 2, source: interface.source)
      ),
    ]
  }
}

extension EncoderOptions {
  /// The same encoder, whose output enters in another way.
  func entering(
    context: ContextPlace = .initialState, attention: AttentionOptions? = nil
  ) -> EncoderOptions {
    EncoderOptions(
      embedding: embedding, layers: layers, dropout: dropout, context: context,
      attention: attention)
  }
}
