package import Configuration
package import Datasets
internal import Collectives
package import Recurrence

/// A text that a model wrote while it was trained.
public struct Sample: Codable, Equatable, Sendable {
  /// The text that was continued; nil for a decoded source.
  public var prompt: String?
  /// The source that was decoded; nil for a continued text.
  public var source: String?
  /// The text, with its prompt.
  public var text: String

  public init(prompt: String? = nil, source: String? = nil, text: String) {
    (self.prompt, self.source, self.text) = (prompt, source, text)
  }
}

/// The writer of `evaluation.sample`: continuations of a prompt, or decoded sources.
///
/// It has states and a tape of its own, and its random numbers are a function of the run's seed alone,
/// so that training does not depend on it, and a text on the weights only. The text is that of
/// `unroll generate` with the same seed and settings.
package final class TrainingSamples {
  private let options: SampleOptions
  private let model: SequenceModel
  private let vocabulary: Vocabulary
  private let source: Vocabulary?
  private let seed: UInt64
  private let known: DecoderInput
  private let prompt: [Int32]
  /// Sentences about symbols that the model does not know.
  package let notes: [String]
  /// The generator of the last weights, which stay at their place in memory.
  private var generator: (weights: ParameterVector, texts: TextGenerator)?

  /// Makes the writer of a run; nil if its options ask for no samples.
  /// - Throws: `DataError` for a condition or a prompt that the model cannot take.
  package convenience init?(
    _ options: RunOptions, _ model: any Model, _ dataset: Dataset
  ) throws(DataError) {
    guard let sample = options.evaluation.sample, let model = model as? SequenceModel else {
      return nil
    }
    try self.init(sample, model, dataset, seed: options.seed)
  }

  /// - Throws: `DataError` for a condition or a prompt that the model cannot take.
  private init(
    _ options: SampleOptions, _ model: SequenceModel, _ dataset: Dataset, seed: UInt64
  ) throws(DataError) {
    self.options = options
    self.model = model
    vocabulary = dataset.vocabulary
    source = dataset.source
    self.seed = seed
    let fields =
      dataset.conditions ?? ConditionFields(numbers: model.interface.condition)
    let (numbers, classes) = try fields.condition(
      options.condition, from: "evaluation.sample.condition")
    known = DecoderInput(condition: numbers, classes: classes)
    let given = PromptSymbols(options.prompt, dataset.vocabulary)
    prompt = given.symbols
    if model.interface.encoded == nil {
      if let fault = given.fault(atMost: model.longestPredicted, of: "the model") {
        throw DataError("evaluation.sample.prompt: \(fault)")
      }
      notes = [given.unknown.warning(of: "evaluation.sample.prompt")].compactMap(\.self)
      return
    }
    guard vocabulary.begin != nil, vocabulary.end != nil else {
      throw DataError(
        "evaluation.sample.sources: the vocabulary of the outputs has no symbols of the begin and the end "
          + "of a line: remove evaluation.sample")
    }
    var unknown = UnknownSymbols()
    if let source = dataset.source {
      for line in options.sources { unknown.add(source.encode(line), source) }
    }
    notes = [unknown.warning(of: "evaluation.sample.sources")].compactMap(\.self)
  }

  /// Returns the texts that the model writes with these weights.
  /// - Parameter goesOn: Called before each symbol of a text, and before each source.
  /// - Returns: The texts; nil if `goesOn` has returned false before they were whole.
  package func write(
    with weights: ParameterVector, while goesOn: () -> Bool = { true }
  ) -> [Sample]? {
    model.interface.encoded == nil ? continued(weights, goesOn) : decoded(weights, goesOn)
  }

  private func continued(_ weights: ParameterVector, _ goesOn: () -> Bool) -> [Sample]? {
    if generator?.weights !== weights {
      generator = (
        weights, TextGenerator(model, weights: weights, vocabulary, seed: seed, given: known)
      )
    }
    guard let texts = generator?.texts else { return nil }
    let sampling = Sampling(
      temperature: options.temperature, topK: options.topK, topP: options.topP)
    let settings = TextGenerator.Settings(sampling: sampling, length: options.length)
    var samples: [Sample] = []
    var isWhole = true
    let asks = {
      isWhole = goesOn()
      return isWhole
    }
    texts.continuations(of: [prompt], streams: 1, settings, while: asks) { _, text in
      let bytes = texts.bytes(prompt, text, stop: [])
      samples.append(
        Sample(prompt: options.prompt, text: String(decoding: bytes, as: UTF8.self)))
    }
    return isWhole ? samples : nil
  }

  private func decoded(_ weights: ParameterVector, _ goesOn: () -> Bool) -> [Sample]? {
    guard let start = vocabulary.begin, let end = vocabulary.end else { return nil }
    let translator = SequenceTranslator(
      model, weights: weights, start: start, end: end, symbols: vocabulary, source: source)
    var samples: [Sample] = []
    for line in options.sources {
      guard goesOn() else { return nil }
      RankActivity.current.advance()
      var given = translator.given(line)
      (given.condition, given.classes) = (known.condition, known.classes)
      // As `unroll decode` does.
      let found = translator.search([given], beam: 4, normalisation: LengthNormalisation(alpha: 1))
      samples.append(Sample(source: line, text: found[0]))
    }
    return samples
  }
}
