internal import Formats
internal import Recurrence

/// The settings of an RWKV-7 that other programs know, whatever their keys for them.
struct RWKV7Settings {
  var width, depth, vocabulary, heads: Int
  /// The inner width of the channel mix.
  var inner: Int
  /// The widths of the low-rank maps of w, a, v and g.
  var decayRank, rateRank, valueRank, gateRank: Int
  /// ε of the layer norms.
  var epsilon: Double
  var isTied: Bool

  /// ε where no setting says it.
  static let usualEpsilon = 1e-5

  init(
    width: Int, depth: Int, vocabulary: Int, heads: Int, inner: Int, decayRank: Int, rateRank: Int,
    valueRank: Int, gateRank: Int, epsilon: Double = usualEpsilon, isTied: Bool = false
  ) {
    (self.width, self.depth, self.vocabulary) = (width, depth, vocabulary)
    (self.heads, self.inner) = (heads, inner)
    (self.decayRank, self.rateRank) = (decayRank, rateRank)
    (self.valueRank, self.gateRank) = (valueRank, gateRank)
    (self.epsilon, self.isTied) = (epsilon, isTied)
  }

  /// - Parameter model: A model of blocks of `rwkv7`, whose last block tells the settings: the first has no
  ///   `value_rank`.
  /// - Throws: `Obstacle` for a block without an MLP.
  init(_ model: ForeignModel) throws(Obstacle) {
    let block = model.block(model.depth - 1)
    guard let cell = block.mixer.options as? RWKV7.Options else {
      preconditionFailure("blocks of another cell than rwkv7")
    }
    guard let mlp = block.mlp else { throw Obstacle("its blocks have no mlp") }
    self.init(
      width: model.width, depth: model.depth, vocabulary: model.vocabulary, heads: cell.heads,
      inner: mlp.width(of: model.width), decayRank: cell.decayRank, rateRank: cell.rateRank,
      valueRank: cell.valueRank, gateRank: cell.gateRank, epsilon: block.norm.eps,
      isTied: model.options.tied)
  }

  /// - Parameter model: A model whose settings are known to be those of an RWKV-7.
  init(of model: ForeignModel) {
    do throws(Obstacle) {
      try self.init(model)
    } catch {
      preconditionFailure(error.reason)
    }
  }

  /// The model of these settings; heads must divide the width.
  var model: ForeignModel {
    var options = SequenceModelOptions.preset("rwkv7", width: width, depth: depth)!
    let norm = NormOptions(.layernorm, eps: epsilon)
    let own = self
    options.changeBlocks { index, block in
      block.norm = norm
      block.mixer.options = RWKV7.Options(
        hidden: own.width, heads: own.heads, inputWeights: false, valueResidual: index > 0,
        decayRank: own.decayRank, rateRank: own.rateRank, valueRank: own.valueRank,
        gateRank: own.gateRank, layerIndex: index, layerCount: own.depth)
      if own.inner != 4 * own.width {
        block.mlp?.factor = Double(own.inner) / Double(own.width)
      }
    }
    options.embeddingNorm = norm
    options.finalNorm = norm
    options.tied = isTied
    // A tied output layer has no first weights of its own.
    if isTied { options.output.initializer = nil }
    return ForeignModel(options, vocabulary: vocabulary)
  }

  /// Models of one head and several, of one block and several, of ranks that all differ, tied and not.
  static var samples: [ForeignModel] {
    [
      RWKV7Settings(
        width: 6, depth: 3, vocabulary: 11, heads: 2, inner: 9, decayRank: 2, rateRank: 3,
        valueRank: 1, gateRank: 4),
      RWKV7Settings(
        width: 10, depth: 2, vocabulary: 7, heads: 1, inner: 40, decayRank: 32, rateRank: 32,
        valueRank: 32, gateRank: 32, isTied: true),
      RWKV7Settings(
        width: 8, depth: 1, vocabulary: 5, heads: 4, inner: 32, decayRank: 5, rateRank: 2,
        valueRank: 32, gateRank: 3),
    ].map(\.model)
  }

  /// The names of a block's parameters here.
  struct Names {
    let block: String

    init(_ index: Int) { block = "layers.\(index)." }

    func cell(_ own: String) -> TensorForm { .parameter(block + "mixer." + own + "_l0") }
    var output: TensorForm { .parameter(block + "mixer.out_proj.weight") }
    var shift: TensorForm { .parameter(block + "mlp.shift.mix") }
    var up: TensorForm { .parameter(block + "mlp.up_proj.weight") }
    var down: TensorForm { .parameter(block + "mlp.down_proj.weight") }
  }

  /// Returns the weight and the bias of a norm.
  static func norm(_ there: String, _ here: String) -> [TensorRule] {
    ["weight", "bias"].map { TensorRule("\(there).\($0)", "\(here).\($0)") }
  }

  /// Returns the output layer, which every file has, tied or not.
  func output(_ name: String) -> TensorRule {
    isTied
      ? TensorRule(name, .parameter("encoder.weight"), .repeated(isWritten: true))
      : TensorRule(name, "decoder.weight")
  }
}
