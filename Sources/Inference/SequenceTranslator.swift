public import Checkpointing
public import Datasets
internal import Formats
internal import Foundation
public import LinearAlgebra
public import Recurrence

/// Decodes outputs for sources with an encoder–decoder model; sources are lines, or frames with
/// names.
public struct SequenceTranslator {
  private let decoder: SequenceDecoder
  private let symbols: Vocabulary
  private let source: Vocabulary?
  /// The format of frames, if the encoder reads frames.
  private let frames: FrameOptions?
  private let width: Int

  /// - Throws: `FileError` where the model has no encoder, too.
  public init(_ checkpoint: Checkpoint, precision: Precision? = nil) throws {
    let (model, weights) = try checkpoint.anyModel(precision: precision)
    let vocabularies = try checkpoint.vocabularies()
    guard let model = model as? SequenceModel, let encoded = model.interface.encoded,
      let start = vocabularies.inputs.begin, let end = vocabularies.inputs.end
    else {
      throw FileError(
        .damaged, checkpoint.path,
        "\(checkpoint.path) has no encoder, so it cannot decode a source: use unroll generate"
      )
    }
    var frames: FrameOptions?
    if case .frames = encoded {
      frames = try checkpoint.options().data.reader?.source?.frames ?? .arrays
    }
    self.init(
      model, weights: weights, start: start, end: end, symbols: vocabularies.inputs,
      source: vocabularies.source, frames: frames)
  }

  /// Makes a translator for a model with an encoder, whose symbols have marks of start and end.
  package init(
    _ model: SequenceModel, weights: ParameterVector, start: Int32, end: Int32,
    symbols: Vocabulary, source: Vocabulary?, frames: FrameOptions? = nil
  ) {
    (self.symbols, self.source, self.frames) = (symbols, source, frames)
    width = model.interface.sourceFrames
    decoder = SequenceDecoder(
      model, weights: weights, start: start, end: end,
      excluded: Set([start, symbols.unknown].compactMap(\.self)))
  }

  /// True if sources are frames with names, not lines.
  public var readsFrames: Bool { frames != nil }

  /// Returns the frames of files in the format of the model's data, each sequence with its name.
  public func sources(in path: String) throws -> [(name: String, given: DecoderInput)] {
    let table = try table(path)
    return table.ids.map { ($0, DecoderInput(frames: table[$0]!)) }
  }

  private func table(_ path: String) throws -> FrameTable {
    guard let frames else { preconditionFailure("frames for an encoder of symbols") }
    let table = try FrameTable(frames, [path])
    guard table.width == width else {
      throw DataError(
        "\(path) has frames of \(table.width) numbers, and the model reads frames of \(width): give "
          + "frames like those that it was trained on")
    }
    return table
  }

  /// Splits lines that begin with the name of their frames into source and target.
  public func pairs(
    _ lines: [String], of path: String, from name: String
  ) throws -> (given: [DecoderInput], said: [String]) {
    let table = try table(path)
    var (given, said): ([DecoderInput], [String]) = ([], [])
    for (number, line) in lines.enumerated() {
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      let id = parts[0].trimmingCharacters(in: .whitespaces)
      guard parts.count == 2, let frames = table[id] else {
        throw DataError(
          "\(name), line \(number + 1) does not begin with a name of frames in \(path) and a tab: write "
            + "them")
      }
      given.append(DecoderInput(frames: frames))
      said.append(String(parts[1]))
    }
    return (given, said)
  }

  /// Returns a line as the input of the encoder.
  public func given(_ line: String) -> DecoderInput {
    guard let source else { preconditionFailure("a line for an encoder of frames") }
    return DecoderInput(source: source.encode(line) + [source.end].compactMap(\.self))
  }

  /// Returns the best output of beam search for each source.
  public func search(
    _ given: [DecoderInput], beam: Int, normalisation: LengthNormalisation
  ) -> [String] {
    decoder.search(given, beam: beam, normalisation: normalisation).map { text($0.first) }
  }

  /// Samples an output for each source.
  /// - Parameters:
  ///   - given: The sources, one per output.
  ///   - first: The number of the first source, on which samples depend.
  ///   - sampling: The temperature and the other options of sampling.
  ///   - seed: The same seed and the same source number give the same sample.
  public func sample(
    _ given: [DecoderInput], from first: Int = 0, _ sampling: Sampling, seed: UInt64
  ) -> [String] {
    decoder.sample(given, sampling, seed: seed, first: first).map { text($0) }
  }

  /// Returns −ln p of each line and of its end, given its source.
  public func score(_ lines: [String], of given: [DecoderInput]) -> [Score] {
    let said = lines.map { symbols.encode($0) }
    return zip(said, decoder.logLikelihoods(of: said, given: given)).map {
      Score(lossSum: -$1, targets: $0.count + 1)
    }
  }

  /// Counts the symbols of lines that are not in the vocabulary.
  public func unknown(in lines: some Sequence<String>) -> UnknownSymbols {
    lines.reduce(into: UnknownSymbols()) { $0.add(symbols.encode($1), symbols) }
  }

  /// Counts the symbols of sources that are not in the encoder's vocabulary; none for frames.
  public func unknown(inSources given: some Sequence<DecoderInput>) -> UnknownSymbols {
    guard let source else { return UnknownSymbols() }
    return given.reduce(into: UnknownSymbols()) { $0.add($1.source, source) }
  }

  private func text(_ hypothesis: Hypothesis?) -> String {
    symbols.decode(hypothesis?.symbols ?? [])
  }
}
