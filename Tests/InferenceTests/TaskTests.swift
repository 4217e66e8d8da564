import Checkpointing
import Collectives
import Configuration
import Datasets
import Foundation
import Inference
import LinearAlgebra
import Recurrence
import Sequences
import TestSupport
import Testing

/// A tokenizer whose symbols are pairs of letters, so that symbols merge across boundaries.
private struct PairTokenizer: Tokenizer {
  var name: String { "pairs" }
  var unit: LossUnit { .perplexity }

  func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    for i in Swift.stride(from: 0, to: text.count, by: 2) {
      try emit(vocabulary.id(of: text, i..<min(i + 2, text.count)) ?? vocabulary.unknown!)
    }
  }

  func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] { [] }
}

@Suite struct `Tasks` {
  /// A plain loop over the symbols of a text from the zero state.
  struct Plain {
    let model: SequenceModel
    let weights: ParameterVector
    let vocabulary: Vocabulary

    init(_ path: String) throws {
      (model, weights, vocabulary) = try Checkpoint(verifying: CheckpointStore.locate(path)).model()
    }

    /// ln p of each symbol after the first, and whether it is the likeliest.
    func read(_ symbols: [Int32]) -> [(logProbability: Double, isGreedy: Bool)] {
      let tape = Tape(model.plan, steps: 1, streams: 1, derivatives: false)
      let batch = Batch(rows: 1)
      return (1..<symbols.count).map { place in
        batch.begin(steps: 1, streams: 1)
        batch.inputs.start[0] = symbols[place - 1]
        batch.targets.start[0] = Batch.noTarget
        let pass = tape.begin(batch, weights: weights)
        model.read(pass)
        let logits = model.outputs(at: 0, pass)[0]
        defer { tape.carryStates() }
        let symbol = Int(symbols[place])
        let others = (0..<logits.count).filter { $0 != symbol }
        return (
          Double(logits[symbol] - logits.logSumExp),
          others.allSatisfy {
            logits[$0] < logits[symbol] || logits[$0] == logits[symbol] && $0 > symbol
          }
        )
      }
    }

    /// The symbols of a text after the end of a line.
    func symbols(_ text: String) -> [Int32] { vocabulary.encode("\n") + vocabulary.encode(text) }

    /// ln p of the end of a text that follows a context.
    func read(_ context: String, _ end: String) -> (logProbability: Double, isGreedy: Bool) {
      let found = read(symbols(context + end)).suffix(
        vocabulary.encode(context + end).count - vocabulary.encode(context).count)
      return (found.reduce(0) { $0 + $1.logProbability }, found.allSatisfy(\.isGreedy))
    }

    /// The likeliest symbol after others.
    func next(after symbols: [Int32]) -> Int32 {
      let tape = Tape(model.plan, steps: symbols.count, streams: 1, derivatives: false)
      let batch = Batch(rows: symbols.count)
      batch.begin(steps: symbols.count, streams: 1)
      for (t, symbol) in symbols.enumerated() {
        batch.inputs.start[t] = symbol
        batch.targets.start[t] = Batch.noTarget
      }
      let pass = tape.begin(batch, weights: weights)
      model.read(pass)
      let logits = model.outputs(at: symbols.count - 1, pass)[0]
      return Int32((0..<logits.count).max { logits[$0] < logits[$1] }!)
    }

    /// The likeliest word after a context: the likeliest symbols up to a blank.
    func likeliestWord(after context: String) -> String {
      var word = ""
      for _ in 0..<20 {
        let letter = vocabulary.decode([next(after: symbols(context + " " + word))])
        if letter == " " || letter == "\n" { break }
        word += letter
      }
      return word.isEmpty ? "abc" : word
    }
  }

  static func train(_ tokenizer: String, in folder: String, _ more: String...) throws -> String {
    var trial = Trial("data.tokenizer=\(tokenizer)", "training.steps=200")
    trial.settings += more
    // Words that mostly follow each other in one order.
    let words = ["abc", "def", "gh"]
    var (state, place) = (UInt32(1), 0)
    func text(_ count: Int) -> String {
      (0..<count).map { number in
        state = state &* 1_664_525 &+ 1_013_904_223
        place = state >> 24 < 200 ? (place + 1) % 3 : Int(state >> 16) % 3
        return words[place] + (number % 11 == 10 ? "\n" : " ")
      }.joined()
    }
    trial.texts = ["train.txt": text(300), "valid.txt": text(60)]
    try trial.train(SingleProcess(), folder)
    return folder + "/run"
  }

  static func json(_ members: [String: Any]) -> String {
    String(decoding: try! JSONSerialization.data(withJSONObject: members), as: UTF8.self)
  }

  /// Contexts of many lengths, one longer than a window.
  static let contexts = [
    "abc", "abc def", "gh abc def", String(repeating: "abc def gh ", count: 20) + "abc",
  ]

  @Test(arguments: ["character", "word", "byte"])
  func `the last word has the probability that a plain loop finds`(_ tokenizer: String) throws {
    let folder = TemporaryFolder()
    let path = try Self.train(tokenizer, in: folder.path)
    let plain = try Plain(path)
    var (lines, sum, right): ([String], Double, Int) = ([], 0, 0)
    for (index, context) in Self.contexts.enumerated() {
      // Words that the model would say itself, and others.
      let word =
        index % 2 == 0 && tokenizer != "word" ? plain.likeliestWord(after: context) : "def"
      lines.append(Self.json(["text": context + " " + word]))
      let found = plain.read(context, " " + word)
      sum += found.logProbability
      let isKnown = !plain.vocabulary.encode(word).contains(plain.vocabulary.unknown ?? -1)
      if found.isGreedy && isKnown { right += 1 }
    }
    // An unknown word is wrong, however likely it is.
    lines += ["", Self.json(["text": "abc ž"])]
    sum += plain.read("abc", " ž").logProbability
    let score = try TaskScore(
      .lambada, lines, of: "file", with: path, batchSize: 3, world: SingleProcess())
    #expect(score.questions == 5)
    // A word of bytes is right only if each of them is.
    #expect(right >= 1 || tokenizer == "byte")
    #expect(abs(score.accuracy - Double(right) / 5) < 1e-12)
    #expect(abs(score.perplexity! / exp(-sum / 5) - 1) < 1e-5)
    #expect(score.unknown.count == (tokenizer == "byte" ? 0 : 1))
  }

  @Test func `the better of two sentences is to be likelier, and ties are wrong`() throws {
    let folder = TemporaryFolder()
    let path = try Self.train("character", in: folder.path)
    let plain = try Plain(path)
    var (lines, right): ([String], [Bool]) = ([], [])
    let pairs = [
      ("abc def gh", "hg fed cba"), ("hagb", "abc d"), ("abc abc", "abc abc"), ("abž", "abü"),
      (String(repeating: "abc def gh ", count: 9), String(repeating: "abd dcf gh ", count: 9)),
    ]
    for (index, (good, bad)) in pairs.enumerated() {
      lines.append(
        Self.json([
          "sentence_good": good, "sentence_bad": bad, "UID": index < 3 ? "first" : "second",
          "linguistics_term": "all",
        ]))
      right.append(plain.read("", good).logProbability > plain.read("", bad).logProbability + 1e-4)
    }
    #expect(right[2...3] == [false, false])
    #expect(right.contains(true))
    let score = try TaskScore(
      .pairs, lines, of: "file", with: path, batchSize: 4, world: SingleProcess())
    #expect(score.accuracy == Double(right.count { $0 }) / 5)
    func share(_ part: ArraySlice<Bool>) -> Double {
      Double(part.count { $0 }) / Double(part.count)
    }
    #expect(score.parts.map(\.name) == ["first", "second", "all"])
    #expect(
      score.parts.map(\.accuracy) == [share(right[..<3]), share(right[3...]), score.accuracy])
    for ((good, bad), found) in zip(pairs, score.logProbabilities) {
      #expect(abs(found[0] - plain.read("", good).logProbability) < 1e-3)
      #expect(abs(found[1] - plain.read("", bad).logProbability) < 1e-3)
    }
    #expect(score.unknown.count == 2)
  }

  @Test func `choices are compared by log-probabilities and by bytes`() throws {
    let folder = TemporaryFolder()
    let path = try Self.train("character", in: folder.path)
    let plain = try Plain(path)
    let questions: [(context: String, endings: [String])] = [
      ("abc def", ["hg", "gh abc def gh abc"]), ("abc", ["h", "hg", "def gh abc def gh"]),
      ("", ["abcd", "dcba"]), ("ab ", ["cde", "cde"]),
    ]
    var differences = 0
    for (isQuery, right) in [(true, 0), (false, 1)] {
      var (lines, plainly, byBytes): ([String], Int, Int) = ([], 0, 0)
      for (context, endings) in questions {
        lines.append(
          Self.json(
            isQuery
              ? ["query": context, "choices": endings, "gold": right]
              : ["ctx": context, "endings": endings, "label": "\(right)"]))
        let blank = context.isEmpty || context.last == " " ? "" : " "
        let found = endings.map { ending in
          context.last == " "
            ? plain.read(String(context.dropLast()), " " + ending).logProbability
            : plain.read(context, blank + ending).logProbability
        }
        func isBest(_ numbers: [Double]) -> Bool {
          numbers.indices.allSatisfy { $0 == right || numbers[$0] < numbers[right] - 1e-6 }
        }
        if isBest(found) { plainly += 1 }
        if isBest(zip(found, endings).map { $0 / Double($1.utf8.count) }) { byBytes += 1 }
      }
      let score = try TaskScore(
        .choices, lines, of: "file", with: path, batchSize: 3, world: SingleProcess())
      #expect(score.accuracy == Double(plainly) / 4)
      #expect(score.accuracyByBytes == Double(byBytes) / 4)
      differences += abs(plainly - byBytes)
    }
    #expect(differences > 0, "a test that cannot tell the two apart")
  }

  @Test(arguments: World.several)
  func `a line's bits depend on neither the others nor the ranks`(_ world: World) throws {
    let folder = TemporaryFolder()
    let path = try Self.train("character", in: folder.path)
    let lines = (0..<23).map { index in
      Self.json(["text": String(repeating: "abc hgf ", count: 1 + index * 7 % 13) + "abc"])
    }
    let alone = try lines.flatMap { line in
      try TaskScore(.lambada, [line], of: "file", with: path, batchSize: 1, world: SingleProcess())
        .logProbabilities
    }
    for batchSize in [1, 5, 32] {
      let found = try world.run { world, _ in
        try TaskScore(
          .lambada, world.isRoot ? lines : [], of: "file", with: path, batchSize: batchSize,
          world: world
        ).logProbabilities
      }
      for found in found { #expect(found == alone, "\(batchSize) at a time") }
    }
  }

  @Test func `a model of sequences reads a text as the beginning of one`() throws {
    let folder = TemporaryFolder()
    let path = try Self.train(
      "character", in: folder.path, "data.format=lines", "training.bptt=null")
    let score = try TaskScore(
      .pairs, [Self.json(["sentence_good": "abc def", "sentence_bad": "hgfed cba"])], of: "file",
      with: path, batchSize: 2, world: SingleProcess())
    let plain = try Plain(path)
    for (text, found) in zip(["abc def", "hgfed cba"], score.logProbabilities[0]) {
      let symbols = [plain.vocabulary.begin!] + plain.vocabulary.encode(text)
      let wanted = plain.read(symbols).reduce(0) { $0 + $1.logProbability }
      #expect(abs(found - wanted) < 1e-3)
    }
  }

  @Test func `a symbol merged across the boundary belongs to the context`() throws {
    let vocabulary = Vocabulary(
      PairTokenizer(), symbols: ["<unk>", "ab", "c", "c ", "d", "\n", " d", "cd"])
    let encoder = ContinuationEncoder(vocabulary, isRunning: true)
    // "abc" is ab|c and "abc d" is ab|c␣|d: the third symbol counts, after the context's own two.
    #expect(encoder.encode("abc", " d") == Continuation(symbols: [5, 1, 2, 4], first: 3))
    #expect(encoder.encode("ab", " d") == Continuation(symbols: [5, 1, 6], first: 2))
    // Blanks at the end of the context belong to the continuation.
    #expect(encoder.encode("ab ", "d") == Continuation(symbols: [5, 1, 6], first: 2))
    // The whole has no symbol more than its context.
    #expect(encoder.encode("abc", "d") == nil)
    #expect(encoder.encode("", "ab") == Continuation(symbols: [5, 1], first: 1))
  }

  @Test(arguments: [
    (EvaluationTask.lambada, "{", "line 2 is not JSON"), (.lambada, "[1]", "not a JSON object"),
    (.lambada, "{\"txt\": \"a b\"}", "no text \"text\""), (.lambada, "{\"text\": 3}", "\"text\""),
    (.lambada, "{\"text\": \"\"}", "empty text"), (.lambada, "{\"text\": \"word\"}", "one word"),
    (.lambada, "{\"text\": \"a b \"}", "ends in a blank"),
    (.lambada, "{\"text\": \"a b\", \"text\": \"c d\"}", "twice"),
    (.pairs, "{\"sentence_good\": \"a b\"}", "sentence_bad"),
    (.pairs, "{\"sentence_good\": \"\", \"sentence_bad\": \"a\"}", "empty text"),
    (.choices, "{\"ctx\": \"a\", \"endings\": [\"b\"], \"label\": 0}", "two or more"),
    (.choices, "{\"ctx\": \"a\", \"endings\": [\"b\", \"\"], \"label\": 0}", "empty ending"),
    (.choices, "{\"ctx\": \"a\", \"endings\": [\"b\", 3], \"label\": 0}", "no text"),
    (.choices, "{\"ctx\": \"a\", \"endings\": [\"b\", \"c\"], \"label\": 2}", "from 0 to 1"),
    (.choices, "{\"ctx\": \"a\", \"endings\": [\"b\", \"c\"], \"label\": \"\"}", "from 0 to 1"),
    (.choices, "{\"query\": \"a\", \"choices\": [\"b\", \"c\"], \"gold\": -1}", "gold"),
  ])
  func `a line that is none of the task is named`(
    _ task: EvaluationTask, _ line: String, _ words: String
  ) throws {
    let good: [EvaluationTask: [String: Any]] = [
      .lambada: ["text": "a b"], .pairs: ["sentence_good": "a", "sentence_bad": "b"],
      .choices: ["ctx": "a", "endings": ["b", "c"], "label": 0],
    ]
    let first = Self.json(good[task]!)
    #expect(try task.questions(in: [first], of: "file").count == 1)
    let error = #expect(throws: DataError.self) {
      try task.questions(in: [first, line], of: "file.jsonl")
    }
    let message = error?.message ?? ""
    #expect(message.hasPrefix("file.jsonl, line 2 ") && message.contains(words), "\(message)")
  }

  @Test func `models for which a task has no meaning are refused`() throws {
    let folder = TemporaryFolder()
    let numbers = "{task: adding, length: 12, train_size: 20, valid_size: 8, test_size: 0}"
    let lines = "{format: lines, train: FOLDER/train.txt, tokenizer: character}"
    for (name, data, end) in [("numbers", numbers, "symbol"), ("lines", lines, "halt")] {
      var trial = Trial()
      trial.yaml = """
        seed: 7
        data: \(data)
        model: {layers: [{cell: lstm, hidden: 4}], end: \(end)}
        training:
          {batch_size: 5, steps: 2, optimizer: {rule: adam}, schedule: {learning_rate: 0.01}}
        """
      try trial.train(SingleProcess(), folder.path, run: name)
      #expect(throws: UsageError.self) {
        try TaskScore(
          .lambada, [Self.json(["text": "a b"])], of: "file", with: folder.path + "/" + name,
          batchSize: 1, world: SingleProcess())
      }
      #expect(throws: UsageError.self) {
        try AdaptedScore(
          of: .part(.valid), with: folder.path + "/" + name, .cache(CacheOptions()),
          searches: false, batchSize: 1, bptt: 5, world: SingleProcess())
      }
    }
  }

  @Test func `the parts of a run's text are scored with adaptation`() throws {
    let folder = TemporaryFolder()
    let path = try Self.train("character", in: folder.path, "data.valid=FOLDER/valid.txt")
    for adaptation in [Adaptation.dynamic(DynamicOptions()), .cache(CacheOptions(window: 20))] {
      let part = try AdaptedScore(
        of: .part(.valid), with: path, adaptation, searches: true, batchSize: 1, bptt: 9,
        world: SingleProcess())
      let file = try AdaptedScore(
        of: .files([folder.path + "/valid.txt"]), with: path, part.adaptation, searches: false,
        batchSize: 1, bptt: 9, world: SingleProcess())
      #expect(part.score == file.score)
      #expect(part.adaptation == file.adaptation)
      // What the search takes is never much worse than a model that does not adapt.
      #expect(part.score.loss < 1.001 * part.fixedScore.loss)
      let plain = try TextScore(
        of: [folder.path + "/valid.txt"], with: path, batchSize: 1, bptt: 9, world: SingleProcess())
      #expect(abs(plain.score.loss - file.fixedScore.loss) < 1e-6)
      let bits = try #require(plain.score.bitsPerByte)
      #expect(abs(bits - file.fixedScore.bitsPerByte!) < 1e-6)
      #expect(abs(bits / plain.score.loss - file.score.bitsPerByte! / file.score.loss) < 1e-9)
    }
    #expect(throws: UsageError.self) {
      try AdaptedScore(
        of: .part(.test), with: path, .cache(CacheOptions()), searches: false, batchSize: 1,
        bptt: 5, world: SingleProcess())
    }
  }
}
