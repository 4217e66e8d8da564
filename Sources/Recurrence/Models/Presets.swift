// The presets of `ModelPreset.swift`.

/// Hawk: residual blocks of a gated RG-LRU behind a convolution, and a GeGLU of three times the width (De
/// 2024), with the first weights of the reference: N(0, 1/in), N(0, 2/(depth · in)) for the products that
/// end in the residual stream, biases zero, and an output layer tied to the embedding.
///
/// The gates' matrices have blocks of at most 256 units.
@Sendable func hawk(_ size: PresetSize) -> SequenceModelOptions {
  let heads = (1...size.width).first {
    size.width.isMultiple(of: $0) && size.width / $0 <= 256
  }!
  let block = BlockOptions(
    mixer: MixerOptions(
      cell: "rg-lru", RGLRU.Options(hidden: size.width, heads: heads, inputWeights: false),
      inProjection: size.width, convolution: ConvolutionOptions(kernel: 4), gate: .geluTanh,
      outProjection: true),
    mlp: MLPOptions(.gegluTanh, factor: 3), outputVariance: 2 / Double(size.depth))
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    tied: true, initializer: .lecun, output: OutputOptions(bias: .none), finalNorm: NormOptions())
}

/// Residual blocks of an LSTM and a SwiGLU of 8/3 times the width, the blocks of today around the cell of
/// 1997.
@Sendable func blockLSTM(_ size: PresetSize) -> SequenceModelOptions {
  let block = BlockOptions(
    mixer: MixerOptions(
      cell: "lstm", LSTM.Options(hidden: size.width, forgetBias: 1), outProjection: true),
    mlp: MLPOptions(.swiglu, round: 8, bias: false), outputVariance: 1 / Double(size.depth))
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    tied: true, initializer: .lecun, output: OutputOptions(bias: .none), finalNorm: NormOptions())
}

/// The language model of "Were RNNs all we needed?": blocks of a convolution of 4 steps and a minGRU of twice
/// the width, and an MLP of four times the width (Feng 2024).
@Sendable func minLM(_ size: PresetSize) -> SequenceModelOptions {
  let block = BlockOptions(
    mixer: MixerOptions(
      cell: "min-gru", MinGRU.Options(hidden: 2 * size.width, candidate: .positive),
      convolution: ConvolutionOptions(kernel: 4), outProjection: true),
    mlp: MLPOptions(.gelu))
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    output: OutputOptions(bias: .none), finalNorm: NormOptions())
}

/// xLSTM: residual blocks around the two memories of the paper, with its first weights (Beck 2024). In each run
/// of `slstm_every` blocks the second is an sLSTM and a GeGLU of 1.3 times the width; the others are an mLSTM of
/// twice the width without an MLP. 8 makes xLSTM[7:1], 2 xLSTM[1:1], 1 blocks of sLSTM alone, and 0 none.
///
/// Both inner widths are rounded up to multiples of 64. Weights are N(0, 2/(5 width)), and N(0, 4/(depth² width))
/// for the products that end in the residual stream. Norms are LayerNorms without b. An sLSTM has four heads, or
/// the largest divisor of the width below. So has an mLSTM of up to 512 units; a wider one has more, of at most
/// 128 units, where the paper has four, so that a state fits in a core's cache.
@Sendable func xLSTM(_ size: PresetSize) -> SequenceModelOptions {
  let norm = NormOptions(.layernorm, bias: false)
  let (width, depth) = (Double(size.width), Double(size.depth))
  /// Returns so many tenths of the width, rounded up to a multiple of 64.
  func inner(tenths: Int) -> Int { (tenths * size.width + 639) / 640 * 64 }
  /// The variance of a product that ends in the residual stream, times the numbers that it reads.
  func variance(_ read: Int) -> Double { 4 / (depth * depth) * (Double(read) / width) }
  let (units, middle) = (inner(tenths: 20), inner(tenths: 13))
  let heads = (1...4).last { size.width.isMultiple(of: $0) }!
  let memories = (4...units).first { units.isMultiple(of: $0) && units / $0 <= 128 }!
  let layers = (0..<size.depth).map { index in
    let place = depth > 1 ? Double(index) / (depth - 1) : 0
    let every = size.slstmEvery ?? 8
    let isScalar = every > 0 && index % every == min(1, every - 1)
    let block =
      isScalar
      ? BlockOptions(
        norm: norm,
        mixer: MixerOptions(
          cell: "xlstm-slstm",
          ScalarXLSTM.Options(
            hidden: size.width, heads: heads, forgetExponent: 0.3 + 1.3 * place,
            inputWeights: false)),
        mlp: MLPOptions(.geglu, factor: Double(middle) / width, bias: false),
        outputVariance: variance(middle))
      : BlockOptions(
        norm: norm,
        mixer: MixerOptions(
          cell: "xlstm-mlstm", MatrixXLSTM.Options(hidden: units, heads: memories),
          outProjection: true, bias: false),
        outputVariance: variance(units))
    return LayerOptions(.block(block))
  }
  return SequenceModelOptions(
    embedding: size.width, layers: layers,
    initializer: .normal((2 / (5 * width)).squareRoot()), output: OutputOptions(bias: .none),
    finalNorm: norm)
}

/// xLSTM 7B: residual blocks of a matrix LSTM and a SwiGLU of 2.6667 times the width rounded up to a multiple
/// of 64 (Beck 2025), with the first weights of the reference: N(0, 2/(5 width)), N(0, 4/(depth² in)) for the
/// products that end in the residual stream, and zeros for i and f.
///
/// Heads have at most 128 numbers, where the published model has 512, so that a state fits in a core's
/// cache.
@Sendable func largeXLSTM(_ size: PresetSize) -> SequenceModelOptions {
  let heads = (1...size.width).first {
    size.width.isMultiple(of: $0) && size.width / $0 <= 128
  }!
  let depth = Double(size.depth)
  let block = BlockOptions(
    mixer: MixerOptions(
      cell: "matrix-lstm",
      MatrixLSTM.Options(
        hidden: size.width, heads: heads, keyWidth: (size.width / heads + 1) / 2 * heads,
        zeroGates: true),
      outProjection: true, bias: false),
    mlp: MLPOptions(.swiglu, factor: 2.6667, round: 64, bias: false),
    outputVariance: 4 / (depth * depth))
  let small = Initializer.normal((2 / (5 * Double(size.width))).squareRoot())
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    initializer: small, output: OutputOptions(softCap: 30, bias: .none), finalNorm: NormOptions())
}

/// RWKV-7: residual blocks of a time mix and a channel mix of four times the width, layer normalisation
/// everywhere, also after the embedding, and the first weights of the reference (Peng 2025). The products that end
/// in the residual stream start at zero.
///
/// Heads have at most 64 units.
@Sendable func rwkv7(_ size: PresetSize) -> SequenceModelOptions {
  let heads = (1...size.width).first {
    size.width.isMultiple(of: $0) && size.width / $0 <= 64
  }!
  let norm = NormOptions(.layernorm)
  let layers = (0..<size.depth).map { index in
    let cell = RWKV7.Options(
      hidden: size.width, heads: heads, inputWeights: false, valueResidual: index > 0,
      layerIndex: index, layerCount: size.depth)
    let left = 1 - Double(index) / Double(size.depth)
    return LayerOptions(
      .block(
        BlockOptions(
          norm: norm,
          mixer: MixerOptions(cell: "rwkv7", cell, outProjection: true, bias: false),
          mlp: MLPOptions(
            .squaredRelu, factor: 4, bias: false, tokenShift: true,
            shiftExponent: left * left * left * left, upBound: 0.5),
          outputVariance: 0)))
  }
  return SequenceModelOptions(
    embedding: size.width, layers: layers, embeddingInitializer: .uniform(1e-4),
    output: OutputOptions(bias: .none, initializer: .scaledOrthogonal(0.5)),
    embeddingNorm: norm, finalNorm: norm)
}

/// Mamba-2: residual blocks of a norm and the cell of twice the width, without an MLP, and a tied output layer
/// (Dao & Gu 2024), with the first weights of the reference: an embedding from N(0, 0.02²), and products that
/// end in the residual stream from N(0, 1/(3 · depth · in)), the variance of PyTorch's layer over the depth.
@Sendable func mamba2(_ size: PresetSize) -> SequenceModelOptions {
  let norm = NormOptions(.rmsnorm, eps: 1e-5)
  let block = BlockOptions(
    norm: norm,
    mixer: MixerOptions(
      cell: "mamba2", Mamba2.Options(hidden: 2 * size.width), outProjection: true, bias: false),
    outputVariance: 1 / (3 * Double(size.depth)))
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    tied: true, embeddingInitializer: .normal(0.02), output: OutputOptions(bias: .none),
    finalNorm: norm)
}

/// The M²RNN: residual blocks of the cell behind a convolution over four steps, and a SwiGLU of 8/3 times the
/// width (Mishra 2026), with the first weights that the reference calls `fan_in`: N(0, 1/in), and N(0, 1/(2 ·
/// depth · in)) for the products that end in the residual stream, without biases, and an output layer tied to
/// the embedding, as the reference has it unless told otherwise.
///
/// A head has 64 numbers of q, k and v, or the largest divisor of the width below.
@Sendable func m2rnn(_ size: PresetSize) -> SequenceModelOptions {
  let heads = (1...size.width).first {
    size.width.isMultiple(of: $0) && size.width / $0 <= 64
  }!
  let norm = NormOptions(.rmsnorm, eps: 1e-5)
  let block = BlockOptions(
    norm: norm,
    mixer: MixerOptions(
      cell: "m2rnn", M2RNN.Options(hidden: size.width, heads: heads, kernel: 4),
      outProjection: true, bias: false),
    mlp: MLPOptions(.swiglu, bias: false), outputVariance: 1 / (2 * Double(size.depth)))
  return SequenceModelOptions(
    embedding: size.width, layers: Array(repeating: LayerOptions(.block(block)), count: size.depth),
    tied: true, initializer: .lecun, output: OutputOptions(bias: .none), finalNorm: norm)
}
