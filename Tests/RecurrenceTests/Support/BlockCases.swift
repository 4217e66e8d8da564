import Recurrence

/// Models of blocks, convolutions and token shifts that between them use every option.
enum BlockCases {
  static let width = 6

  static func block(
    _ cell: String, _ options: any CellOptions, norm: NormOptions = NormOptions(),
    inProjection: Int? = nil, convolution: ConvolutionOptions? = nil,
    gate: PointwiseFunction? = nil, outProjection: Bool? = nil, bias: Bool = true,
    mlp: MLPOptions? = nil, variance: Double? = nil,
    surroundings: RecurrentLayerOptions = RecurrentLayerOptions()
  ) -> LayerOptions {
    LayerOptions(
      .block(
        BlockOptions(
          norm: norm,
          mixer: MixerOptions(
            cell: cell, options, inProjection: inProjection, convolution: convolution, gate: gate,
            outProjection: outProjection, bias: bias),
          mlp: mlp, outputVariance: variance)), surroundings: surroundings)
  }

  static let hawk = block(
    "rg-lru", RGLRU.Options(hidden: 8, heads: 2, inputWeights: false), inProjection: 8,
    convolution: ConvolutionOptions(kernel: 4), gate: .geluTanh, outProjection: true,
    mlp: MLPOptions(.gegluTanh, factor: 1.5, bias: false), variance: 0.5)

  /// A block of RWKV-7 that is layer `index` of 3.
  static func rwkv(_ index: Int, heads: Int, isMixed: Bool) -> LayerOptions {
    block(
      "rwkv7",
      RWKV7.Options(
        hidden: width, heads: heads, inputWeights: false, valueResidual: isMixed, decayRank: 2,
        rateRank: 3, valueRank: 4, gateRank: 5, normEps: 1e-2, layerIndex: index, layerCount: 3),
      norm: NormOptions(.layernorm), outProjection: true, bias: false,
      mlp: MLPOptions(
        .squaredRelu, factor: 1.5, bias: false, tokenShift: true, shiftExponent: 0.6))
  }

  static let withoutBias = NormOptions(.layernorm, bias: false)

  /// A block of xLSTM around the mLSTM.
  static func xlstm(heads: Int, kernel: Int) -> LayerOptions {
    block(
      "xlstm-mlstm", MatrixXLSTM.Options(hidden: 12, heads: heads, kernel: kernel),
      norm: withoutBias, outProjection: true, bias: false, variance: 0.5)
  }

  /// A block of xLSTM around the sLSTM.
  static func xlstmScalar(heads: Int, kernel: Int) -> LayerOptions {
    block(
      "xlstm-slstm",
      ScalarXLSTM.Options(
        hidden: width, heads: heads, kernel: kernel, forgetExponent: 0.3, inputWeights: false),
      norm: withoutBias, mlp: MLPOptions(.geglu, factor: 1.3, round: 4, bias: false), variance: 0.5)
  }

  static let cases: [(name: String, options: SequenceModelOptions)] = [
    (
      "an lstm inside a block",
      model([
        block(
          "lstm", LSTM.Options(hidden: 5), mlp: MLPOptions(.swiglu, factor: 1.2, round: 4))
      ])
    ),
    (
      "a gru as wide as its block",
      model([
        block(
          "gru", GRU.Options(hidden: width), norm: NormOptions(.layernorm),
          mlp: MLPOptions(.gelu, factor: 1.5))
      ])
    ),
    (
      "two blocks of hawk, scaled, tied and normalised",
      model([hawk, hawk], tied: true, scale: .squareRoot, norm: NormOptions())
    ),
    (
      "minimal cells behind convolutions",
      model(
        [
          block(
            "min-gru", MinGRU.Options(hidden: 7),
            convolution: ConvolutionOptions(kernel: 3, activation: .silu),
            mlp: MLPOptions(.squaredRelu, factor: 2)),
          block(
            "min-lstm", MinLSTM.Options(hidden: 5, candidate: .positive), gate: .silu, bias: false),
        ], scale: .factor(1.5), norm: NormOptions(.layernorm, eps: 1e-3))
    ),
    (
      "convolutions and a token shift",
      model([
        LayerOptions(
          .convolution(ConvolutionOptions(kernel: 5, bias: false, activation: .gelu)),
          residual: true),
        LayerOptions(.tokenShift),
        LayerOptions(.recurrent(cell: "rg-lru", RGLRU.Options(hidden: 4, inputWeights: true))),
        LayerOptions(.convolution(ConvolutionOptions(kernel: 2))),
      ])
    ),
    (
      "cells inside their surroundings",
      model([
        block(
          "elman", Elman.Options(hidden: 5), gate: .sigmoid, mlp: MLPOptions(.geluTanh, factor: 1),
          surroundings: RecurrentLayerOptions(
            initialState: .learnt, feedback: FeedbackOptions(width: 4), zoneout: 0.2)),
        block(
          "rg-lru", RGLRU.Options(hidden: width, heads: 3, inputWeights: false),
          mlp: MLPOptions(.geglu, factor: 1),
          surroundings: RecurrentLayerOptions(initialState: .learnt, zoneout: 0.1)),
        block(
          "skip", Skip.Options(hidden: 5, delays: [3]),
          surroundings: RecurrentLayerOptions(feedsTargets: true)),
      ])
    ),
    (
      "blocks of rwkv7 that mix their values",
      model(
        [
          rwkv(0, heads: 2, isMixed: false), rwkv(1, heads: 2, isMixed: true),
          rwkv(2, heads: 1, isMixed: true),
        ], norm: NormOptions(.layernorm), embeddingNorm: NormOptions(.layernorm))
    ),
    (
      "memories of several heads behind convolutions",
      model([
        block(
          "mamba2", Mamba2.Options(hidden: 8, heads: 4, state: 3, groups: 2, kernel: 3),
          outProjection: true, bias: false),
        block(
          "gated-deltanet",
          GatedDeltaNet.Options(hidden: 8, heads: 2, keyWidth: 6, negativeEigenvalues: true),
          outProjection: true, mlp: MLPOptions(.swiglu, factor: 1)),
      ])
    ),
    (
      "two blocks of hgrn2 with one bound, and retention",
      model([
        block(
          "hgrn2", HGRN2.Options(hidden: 8, heads: 2, keyWidth: 6, layerIndex: 1, layerCount: 3),
          outProjection: true, bias: false),
        block(
          "retention", Retention.Options(hidden: 8, heads: 2, keyWidth: 4), outProjection: true,
          bias: false, mlp: MLPOptions(.gelu, factor: 1)),
        block(
          "hgrn2", HGRN2.Options(hidden: 6, keyWidth: 6, layerIndex: 2, layerCount: 3),
          outProjection: true, bias: false, mlp: MLPOptions(.swiglu, factor: 1)),
      ])
    ),
    (
      "rwkv6 with the input itself",
      model([
        block(
          "rwkv6",
          RWKV6.Options(
            hidden: width, heads: 2, inputWeights: false, mixRank: 2, decayRank: 3, normEps: 1e-2,
            layerIndex: 1, layerCount: 2),
          norm: NormOptions(.layernorm), outProjection: true, bias: false,
          mlp: MLPOptions(.squaredRelu, factor: 1.5, bias: false, tokenShift: true))
      ])
    ),
    (
      "the two blocks of xlstm",
      model([xlstm(heads: 3, kernel: 4), xlstmScalar(heads: 2, kernel: 3)], norm: withoutBias)
    ),
    (
      "dropout in every place",
      model([hawk, LayerOptions(.tokenShift, dropout: 0.1)], dropout: 0.3, recurrent: true)
    ),
  ]

  private static func model(
    _ layers: [LayerOptions], tied: Bool = false, scale: EmbeddingScale? = nil,
    norm: NormOptions? = nil, embeddingNorm: NormOptions? = nil, dropout: Double = 0,
    recurrent: Bool = false
  ) -> SequenceModelOptions {
    SequenceModelOptions(
      embedding: width, layers: layers, tied: tied, dropout: dropout, recurrent: recurrent,
      embeddingScale: scale, embeddingNorm: embeddingNorm, finalNorm: norm)
  }
}
