internal import Checkpointing
public import Collectives
internal import Configuration
public import Datasets
internal import Formats
internal import Foundation
public import LinearAlgebra
internal import Recurrence

/// The result of `unroll evaluate --task`.
public struct TaskScore: Sendable {
  public let task: EvaluationTask
  /// The number of lines.
  public let questions: Int
  /// The share of the lines that are right. LAMBADA: each symbol of the last word is the likeliest.
  /// Pairs and choices: the right text is likelier than every other.
  public let accuracy: Double
  /// For choices: the same for log-probabilities divided by the bytes of the ending.
  public let accuracyByBytes: Double?
  /// For LAMBADA: exp(−mean ln p) of a word.
  public let perplexity: Double?
  /// For pairs: the accuracy of each value of a member, in the order of values.
  public let parts: [(field: String, name: String, accuracy: Double, questions: Int)]
  /// ln p of each candidate of each line.
  package let logProbabilities: [[Double]]
  /// The symbols that count and are not in the model's vocabulary.
  public let unknown: UnknownSymbols

  /// A question as every rank needs it.
  private struct Shared: Codable {
    var texts: [Continuation]
    var right: Int
    var bytes: [Int]
    var fields: [String: String]
    /// True if the right candidate has symbols that the model does not know.
    var isUnknown: Bool
  }

  /// Scores the lines of a file with a checkpoint's model. Collective.
  /// - Parameters:
  ///   - task: The form of the lines and of the score.
  ///   - lines: The lines; only those of the root count.
  ///   - name: The name of the file in messages.
  ///   - path: A checkpoint, or the folder of a run.
  ///   - batchSize: The most texts that a rank scores in parallel; the result does not depend on
  ///     it.
  ///   - precision: The number format of the products; nil for that of the run.
  ///   - world: The ranks that share the questions.
  ///   - progress: Called on the root with the part of its texts that is done.
  /// - Throws: `DataError` for a line that is none of the task, `UsageError` for a model that does not
  ///   predict the symbols that it reads.
  public init(
    _ task: EvaluationTask, _ lines: [String], of name: String, with path: String, batchSize: Int,
    precision: Precision? = nil, world: any Communicator,
    progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
  ) throws {
    let (model, weights, vocabulary) = try world.unanimous {
      try Self.model(of: path, precision: precision)
    }
    var (shared, symbols): ([Shared], UnknownSymbols) = ([], UnknownSymbols())
    try world.unanimous {
      guard world.isRoot else { return }
      let encoder = ContinuationEncoder(
        vocabulary, isRunning: model.interface.isRunning)
      for question in try task.questions(in: lines, of: name) {
        shared.append(try Self.encode(question, encoder, name, &symbols))
      }
    }
    shared = try world.share(shared)
    unknown = symbols
    let texts = shared.flatMap(\.texts)
    let results = try Self.score(
      texts, model, weights, batchSize: batchSize, world: world, progress: progress)
    var (first, found): (Int, [[ContinuationScorer.Result]]) = (0, [])
    for question in shared {
      found.append(Array(results[first..<first + question.texts.count]))
      first += question.texts.count
    }
    logProbabilities = found.map { $0.map(\.logProbability) }
    let right = zip(shared, found).map { question, results in
      task == .lambada
        ? results[0].isGreedy && !question.isUnknown
        : Self.isLikeliest(question.right, results.map(\.logProbability))
    }
    func share(_ right: [Bool]) -> Double {
      Double(right.count { $0 }) / Double(max(right.count, 1))
    }
    self.task = task
    questions = shared.count
    accuracy = share(right)
    accuracyByBytes =
      task == .choices
      ? share(
        zip(shared, found).map { question, results in
          Self.isLikeliest(
            question.right,
            zip(results, question.bytes).map { $0.logProbability / Double($1) })
        }) : nil
    let sum = found.reduce(0.0) { $0 + $1[0].logProbability }
    perplexity = task == .lambada ? exp(-sum / Double(shared.count)) : nil
    parts = EvaluationTask.breakdowns.flatMap { field in
      Dictionary(grouping: shared.indices) { shared[$0].fields[field] ?? "" }
        .filter { $0.key != "" }.sorted { $0.key < $1.key }
        .map { (field, $0.key, share($0.value.map { right[$0] }), $0.value.count) }
    }
  }

  /// The model of a checkpoint, which predicts the next symbol of what it reads.
  private static func model(
    of path: String, precision: Precision?
  ) throws -> (SequenceModel, ParameterVector, Vocabulary) {
    let checkpoint = try Checkpoint(verifying: CheckpointStore.locate(path))
    let (model, weights) = try checkpoint.anyModel(precision: precision)
    guard let model = model as? SequenceModel, case .symbols(let count) = model.interface.input,
      model.interface.output == .symbols(count), model.interface.encoded == nil,
      !model.interface.asksOnce, !model.interface.isConditioned
    else {
      throw UsageError(
        "\(path) is not a language model, which predicts the symbols that it reads and nothing else: "
          + "--task needs one")
    }
    guard model.options.end == .symbol else {
      throw UsageError(
        "\(path) predicts the ends of sequences beside their symbols (model.end): --task needs a model "
          + "whose end is a symbol")
    }
    return (model, weights, try checkpoint.vocabulary())
  }

  private static func encode(
    _ question: TaskQuestion, _ encoder: ContinuationEncoder, _ name: String,
    _ unknown: inout UnknownSymbols
  ) throws(DataError) -> Shared {
    var texts: [Continuation] = []
    var isUnknown = false
    for (index, candidate) in question.candidates.enumerated() {
      guard let text = encoder.encode(candidate.context, candidate.continuation) else {
        throw DataError(
          "\(name), line \(question.line) has a text without a symbol to predict: give it a context "
            + "or more text")
      }
      let counted = text.symbols[text.first...]
      unknown.add(counted, encoder.vocabulary)
      if index == question.right, let symbol = encoder.vocabulary.unknown {
        isUnknown = counted.contains(symbol)
      }
      texts.append(text)
    }
    return Shared(
      texts: texts, right: question.right, bytes: question.bytes, fields: question.fields,
      isUnknown: isUnknown)
  }

  /// Scores texts on all ranks. Every rank has all results, which are the same to the bit for any world
  /// size.
  private static func score(
    _ texts: [Continuation], _ model: SequenceModel, _ weights: ParameterVector, batchSize: Int,
    world: any Communicator, progress: (Int, Int) -> Void
  ) throws -> [ContinuationScorer.Result] {
    let groups = ContinuationScorer.groups(texts, streams: batchSize)
    let own = stride(from: world.rank, to: groups.count, by: world.size).map { groups[$0] }
    // A number and zeros have the number as their sum.
    var sums = [Double](repeating: 0, count: 2 * texts.count)
    if let streams = own.map(\.count).max() {
      let scorer = ContinuationScorer(model, weights: weights, streams: streams)
      let total = own.reduce(0) { $0 + $1.count }
      var done = 0
      // The longest first, so that the time left is not underestimated.
      for places in own.reversed() {
        for (place, result) in zip(places, scorer.score(places.map { texts[$0] })) {
          sums[2 * place] = result.logProbability
          sums[2 * place + 1] = result.isGreedy ? 1 : 0
        }
        done += places.count
        if world.isRoot { progress(done, total) }
      }
    }
    try world.sum(&sums)
    return texts.indices.map {
      ContinuationScorer.Result(logProbability: sums[2 * $0], isGreedy: sums[2 * $0 + 1] == 1)
    }
  }

  /// True if a number is larger than every other; a tie is wrong.
  static func isLikeliest(_ right: Int, _ numbers: [Double]) -> Bool {
    numbers.indices.allSatisfy { $0 == right || numbers[$0] < numbers[right] }
  }

  public var words: String {
    let line = [
      "accuracy \(fixed(100 * accuracy, 2)) %",
      accuracyByBytes.map { "by bytes \(fixed(100 * $0, 2)) %" },
      perplexity.map { "perplexity \(fixed($0, 2))" }, "\(questions) lines", unknown.words,
    ].compactMap(\.self).joined(separator: ", ")
    let rows = parts.map {
      [$0.field, $0.name, fixed(100 * $0.accuracy, 2) + " %", "\($0.questions)"]
    }
    guard !rows.isEmpty else { return line }
    return line + "\n"
      + table([["field", "value", "accuracy", "lines"]] + rows, rightAligned: [2, 3])
  }

  public var json: String {
    get throws {
      struct Line: Encodable {
        let task: String
        let accuracy: Double
        let accuracy_by_bytes: Double?
        let perplexity: Double?
        let lines: Int
        let parts: [String: [String: Double]]?
        let unknown: Int
      }
      var named: [String: [String: Double]] = [:]
      for part in parts { named[part.field, default: [:]][part.name] = part.accuracy }
      let line = Line(
        task: task.rawValue, accuracy: accuracy, accuracy_by_bytes: accuracyByBytes,
        perplexity: perplexity, lines: questions, parts: named.isEmpty ? nil : named,
        unknown: unknown.count)
      return String(decoding: try JSONValue.encoder().encode(line), as: UTF8.self)
    }
  }
}

/// Encodes texts as a model of language reads them.
///
/// A text begins after the end of a line, as in training, or with the beginning of a sequence. The
/// continuation's symbols are those of the whole text after as many as the context has by itself: a
/// symbol merged across the boundary belongs to the context. The model reads the context's own symbols
/// before them (so does lm-evaluation-harness).
package struct ContinuationEncoder {
  package let vocabulary: Vocabulary
  /// The symbols before every text; empty if there are none to begin with.
  private let begin: [Int32]

  /// - Parameter isRunning: True for a model of a running text, false for one of sequences.
  package init(_ vocabulary: Vocabulary, isRunning: Bool) {
    self.vocabulary = vocabulary
    if isRunning {
      let end = vocabulary.encode("\n")
      begin = end == vocabulary.unknown.map { [$0] } ? [] : end
    } else {
      begin = [vocabulary.begin].compactMap(\.self)
    }
  }

  /// Returns nil if no symbol of the continuation has another before it.
  package func encode(_ context: String, _ continuation: String) -> Continuation? {
    // Blanks at the end of the context belong to the continuation.
    let whole = vocabulary.encode(context + continuation)
    var context = Substring(context)
    while context.last == " " { context.removeLast() }
    let read = context.isEmpty ? [] : vocabulary.encode(String(context))
    guard whole.count > read.count else { return nil }
    let symbols = begin + read + whole[read.count...]
    let first = max(begin.count + read.count, 1)
    return first < symbols.count ? Continuation(symbols: symbols, first: first) : nil
  }
}
