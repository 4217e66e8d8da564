internal import Names
public import Sequences

/// The place where the condition of a sequence enters a model.
public enum ConditionPlace: String, Codable, CaseIterable, Sendable {
  /// The first layer at every step, through a matrix of its own.
  case everyStep = "every_step"
  /// The first layer at the first step only (one to many).
  case firstInput = "first_input"
  /// The first layer's initial state, which is a linear map of the condition.
  case initialState = "initial_state"
}

/// The factor on the output of an embedding.
public enum EmbeddingScale: Hashable, Sendable {
  case factor(Double)
  /// √width
  case squareRoot

  /// Returns the factor on an embedding of some width.
  func factor(of width: Int) -> Double {
    switch self {
    case .factor(let factor): factor
    case .squareRoot: Double(width).squareRoot()
    }
  }
}

extension EmbeddingScale: Codable {
  /// Decodes a number, or `sqrt`.
  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let factor = try? value.decode(Double.self), factor.isFinite, factor > 0 {
      self = .factor(factor)
    } else if (try? value.decode(String.self)) == "sqrt" {
      self = .squareRoot
    } else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: value.codingPath,
          debugDescription: "embedding_scale is a number above 0, or sqrt, the root of the width",
          underlyingError: UnknownName("", of: "embedding_scale", among: ["sqrt"])))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .factor(let factor): try value.encode(factor)
    case .squareRoot: try value.encode("sqrt")
    }
  }
}

/// A model of sequences: layers over time, and an output layer.
public struct SequenceModelOptions: Equatable, Sendable {
  /// The width of the embedding. With nil, symbols are read as one-hot rows, and frames as they
  /// are.
  public var embedding: Int?
  public var layers: [LayerOptions]
  /// True if the output layer shares the embedding's matrix (Press & Wolf 2016, Inan 2016).
  public var tied: Bool
  /// The dropout on the embedding's output, between layers and before the output layer (Zaremba
  /// 2014).
  public var dropout: Double
  /// The dropout on the input of the first layer. With nil it is `dropout` on an embedding's output
  /// and 0 on frames and one-hot rows, where each dropped number loses a fact.
  public var inputDropout: Double?
  /// The rate at which training drops whole symbols of an embedding, in a window in all streams
  /// (Gal & Ghahramani 2016, Merity 2017).
  public var embeddingDropout: Double
  /// True for one dropout mask for all steps of a window of a stream (Gal 2016).
  public var variational: Bool
  /// True if the dropout of a layer also masks the states that its products read, with one mask per
  /// window.
  public var recurrent: Bool
  public var initializer: Initializer
  /// The factor on the embedding's output; nil for 1 (Vaswani 2017).
  public var embeddingScale: EmbeddingScale?
  /// The normalisation of the embedding's output; nil for none.
  public var embeddingNorm: NormOptions?
  /// The normalisation of the last layer's output; nil for none.
  public var finalNorm: NormOptions?
  /// The initializer of embeddings; nil for `initializer`.
  public var embeddingInitializer: Initializer?
  /// The factor on the learning rate in embeddings; 0 freezes them.
  public var embeddingRate: Double
  public var output: OutputOptions
  /// True if the output layer also reads the input (Elman with shortcuts).
  public var shortcut: Bool
  /// The place where the condition enters.
  public var condition: ConditionPlace
  /// The width of the embedding of each class of the condition; with nil, classes are read as
  /// one-hot rows.
  public var conditionEmbedding: Int?
  /// The encoder and its attention; needed if the data has a source.
  public var encoder: EncoderOptions?
  /// The way in which the model predicts the end of a sequence.
  public var end: EndOfSequence
  /// The width of the model whose learning rates and initial values this one takes over (µP); nil for its
  /// own.
  public var widthBase: Int?

  public init(
    embedding: Int?, layers: [LayerOptions], tied: Bool = false, dropout: Double = 0,
    inputDropout: Double? = nil, embeddingDropout: Double = 0, variational: Bool = false,
    recurrent: Bool = false,
    initializer: Initializer = .pytorch, embeddingInitializer: Initializer? = nil,
    embeddingRate: Double = 1, output: OutputOptions = OutputOptions(), shortcut: Bool = false,
    condition: ConditionPlace = .everyStep, conditionEmbedding: Int? = nil,
    encoder: EncoderOptions? = nil, end: EndOfSequence = .symbol, widthBase: Int? = nil,
    embeddingScale: EmbeddingScale? = nil, embeddingNorm: NormOptions? = nil,
    finalNorm: NormOptions? = nil
  ) {
    self.embedding = embedding
    self.layers = layers
    self.tied = tied
    self.dropout = dropout
    self.inputDropout = inputDropout
    self.embeddingDropout = embeddingDropout
    self.variational = variational
    self.recurrent = recurrent
    self.initializer = initializer
    self.embeddingInitializer = embeddingInitializer
    self.embeddingRate = embeddingRate
    self.output = output
    self.shortcut = shortcut
    self.condition = condition
    self.conditionEmbedding = conditionEmbedding
    self.encoder = encoder
    self.end = end
    self.widthBase = widthBase
    self.embeddingScale = embeddingScale
    self.embeddingNorm = embeddingNorm
    self.finalNorm = finalNorm
  }
}

extension SequenceModelOptions {
  /// The dropout on the input of the first layer.
  public var dropoutOfInput: Double { inputDropout ?? (embedding == nil ? 0 : dropout) }

  /// Returns the encoder as the options of a model of its own.
  package func encoderOptions(_ encoder: EncoderOptions) -> SequenceModelOptions {
    SequenceModelOptions(
      embedding: encoder.embedding, layers: encoder.layers, dropout: encoder.dropout ?? dropout,
      embeddingDropout: embeddingDropout, variational: variational, initializer: initializer,
      embeddingInitializer: embeddingInitializer, embeddingRate: embeddingRate)
  }

  /// The same model without anything that training samples, such as dropout: the gradient of its
  /// loss is that of the loss in evaluation.
  package var withoutNoise: SequenceModelOptions {
    func quiet(_ layer: LayerOptions) -> LayerOptions {
      var layer = layer
      layer.dropout = nil
      layer.weightDropout = 0
      layer.surroundings.samplesZoneout = false
      return layer
    }
    var options = self
    options.dropout = 0
    options.inputDropout = nil
    options.embeddingDropout = 0
    options.layers = layers.map(quiet)
    options.encoder?.dropout = nil
    options.encoder?.layers = encoder?.layers.map(quiet) ?? []
    return options
  }

  /// The first contradiction between options; nil if there is none.
  public var incompatibility: String? { problemOfWidths?.sentence ?? encoder?.problem }

  /// The first width that does not fit the one before, and the key at fault; nil if all fit.
  var problemOfWidths: (key: ModelSection.CodingKeys, sentence: String)? {
    var width = embedding
    for (index, layer) in layers.enumerated() {
      if let width, let problem = layer.problem(reading: width) {
        return (.layers, "layer \(index) \(problem)")
      }
      if let problem = layer.problemOfValues(above: layers[..<index]) {
        return (.layers, "layer \(index) \(problem)")
      }
      width = layer.ownWidth ?? width
    }
    guard tied else { return nil }
    guard let embedding else {
      return (.tied, "tied uses the embedding's matrix, and there is none; set embedding")
    }
    if let width, width != embedding {
      return (
        .tied,
        "tied needs an embedding (\(embedding)) as wide as the last layer (\(width)); add "
          + "a last layer {linear: \(embedding)} or change embedding"
      )
    }
    return nil
  }
}
