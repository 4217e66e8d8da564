import Checkpointing
import Collectives
import Configuration
import Datasets
import Exchange
import Formats
import Foundation
import Inference
import Logging
import Recurrence
import Runs
import TestSupport
import Testing
import Training

/// States with right checksums and one wrong value. A process that ends in a trap fails every test.
@Suite struct `States of checkpoints with a wrong value` {
  /// A run, and what it predicts.
  struct Subject: CustomTestStringConvertible {
    let name: String
    let data: String
    let model: String
    var training = ""
    var testDescription: String { name }
  }

  static let subjects = [
    Subject(
      name: "a text, windows that overlap, an average, a plateau",
      data: "train: FOLDER/text.txt, valid: 0.2, document: line",
      model: """
        {embedding: 4, dropout: 0.1, layers: [{cell: lstm, hidden: 5}, {cell: elman, hidden: 3}]}
        """,
      training: """
        bptt: 5, stride: 3, average: {}, early_stop: {patience: 9}, optimizer: {rule: adam},
          schedule: {shape: cosine, learning_rate: 0.01, warmup: 2, plateau: {patience: 1}}, epochs: 3
        """),
    Subject(
      name: "pairs",
      data: """
        format: pairs, train: FOLDER/b.txt, valid: 0.2, source: {train: FOLDER/a.txt}
        """,
      model: """
        {embedding: 4, end: length, context: both, attention: additive, layers: [{cell: gru, hidden: 5}],
          encoder: {embedding: 3, layers: [{cell: gru, hidden: 2, bidirectional: concat}]}}
        """, training: "steps: 7, optimizer: {rule: sgd}"),
    Subject(
      name: "frames to letters, of classes and numbers",
      data: """
        format: pairs, train: FOLDER/named.txt, valid: 0.2,
          source: {format: csv, train: FOLDER/frames.csv, columns: {inputs: [2, 3], id: 1}},
          condition: {train: FOLDER/known.csv, classes: [1], numbers: [2]}
        """,
      model: """
        {embedding: 4, condition_embedding: 2, layers: [{cell: gru, hidden: 5}],
          encoder: {layers: [{cell: gru, hidden: 2}]}}
        """, training: "steps: 7"),
    Subject(
      name: "trees", data: "format: trees, view: nodes, train: FOLDER/trees.txt, valid: 0.2",
      model: "{embedding: 6, tree: {cell: lstm, hidden: 5}}", training: "steps: 7"),
    Subject(
      name: "frames", data: "task: mackey-glass, length: 9, train_size: 20, valid_size: 3",
      model: "{layers: [{cell: leaky, hidden: 5}]}", training: "steps: 7"),
  ]

  private static func open(
    _ options: RunOptions, in folder: String, _ resume: Resume = .none, isRehearsal: Bool = true
  ) throws -> Runs.Run {
    let request = RunRequest(
      options, folder: RunFolder(folder + "/run"), resume: resume, isRehearsal: isRehearsal)
    return try Runs.Run(
      request, world: SingleProcess(), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  private static func train(_ subject: Subject, in folder: String) throws -> (RunOptions, String) {
    let words = ["a b c", "c a", "b b a c", "c", "a c b a"]
    let lines = (0..<40).map { words[$0 * $0 % 5] + "\n" }.joined()
    for name in ["text.txt", "a.txt", "b.txt"] {
      try put(Array(lines.utf8), at: folder + "/" + name)
    }
    let named = lines.split(separator: "\n").enumerated().map { "\($0)\t\($1)\n" }.joined()
    try put(Array(named.utf8), at: folder + "/named.txt")
    let frames = (0..<80).map { "\($0 / 2),\($0 % 3),0.5\n" }.joined()
    try put(Array(frames.utf8), at: folder + "/frames.csv")
    let known = (0..<40).map { "\(["eva", "adam"][$0 % 2]),\($0 % 5)\n" }.joined()
    try put(Array(known.utf8), at: folder + "/known.csv")
    let trees = (0..<20).map { "(\($0 % 3) (2 a) (\($0 % 2) (1 b) (0 c)))\n" }.joined()
    try put(Array(trees.utf8), at: folder + "/trees.txt")
    let options = try Configuration(
      yaml: """
        data: {\(subject.data.replacing("FOLDER", with: folder))}
        model: \(subject.model)
        training: {batch_size: 3, \(subject.training)}
        """, file: "test"
    ).decode(RunOptions.self)
    _ = try open(options, in: folder, isRehearsal: false).train()
    return (options, try CheckpointStore.locate(folder + "/run"))
  }

  @Test(arguments: subjects)
  func `are a sentence and code 65, or go on as if they were right`(_ subject: Subject) throws {
    try withTemporaryFolder { folder in
      let (options, path) = try Self.train(subject, in: folder)
      let file = path + "/state.json"
      let original = try bytes(at: file)
      var state = try JSONDecoder().decode(JSONValue.self, from: Data(original))
      guard case .object(var members) = state else { throw CancellationError() }
      members["crc32"] = nil
      state = .object(members)
      try put(sealed(state), at: file)
      #expect(Checkpoint.verify(path).isEmpty, "\(Checkpoint.verify(path))")
      var (refused, accepted) = (0, 0)
      // A sample of some thousands, which takes seconds; all of them take minutes.
      let all = StateMutation.all(of: state)
      let step = ProcessInfo.processInfo.environment["UNROLL_TEST_MUTATIONS"] == "all" ? 1 : 97
      for mutation in stride(from: 0, to: all.count, by: step).map({ all[$0] }) {
        try put(sealed(mutation.applied(to: state)), at: file)
        let problems = Checkpoint.verify(path)
        let resumed = Result {
          let run = try Self.open(options, in: folder, .path(path))
          for _ in 0..<2 { _ = try run.trainer.step() }
        }
        if let problem = problems.first {
          refused += 1
          expectSentence(problem, mutation)
          guard case .failure(let error) = resumed else {
            Issue.record("verify says \(problem), and a run goes on: \(mutation)")
            continue
          }
          #expect("\(error)" == "\(problem)", "\(mutation)")
          continue
        }
        accepted += 1
        if case .failure(let error) = resumed {
          expectSentence(error, mutation)
          // What only the data tells.
          let unknown = ["hashes", "streams", "interface", "configuration"]
          #expect(unknown.contains(mutation.place[0]), "\(mutation): \(error)")
        }
        // Data of another size is as long as it is.
        let unused = ["training", "checkpoint", "console", "name", "data"]
        if mutation.place.count > 1, unused.contains(mutation.place[1]) { continue }
        do { try use(path, of: options, folder) } catch { expectSentence(error, mutation) }
      }
      #expect(
        refused > 1000 / step && accepted > 100 / step, "\(refused) refused, \(accepted) accepted")
    }
  }

  /// Uses a checkpoint as the commands do.
  private func use(_ path: String, of options: RunOptions, _ folder: String) throws {
    let checkpoint = try Checkpoint(verifying: path)
    _ = try CheckpointInspection(checkpoint).words
    let world = SingleProcess()
    if try checkpoint.interface().isRunning {
      _ = try TextScore(
        of: [folder + "/text.txt"], with: path, batchSize: 2, bptt: 9, world: world)
      let (model, weights, vocabulary) = try checkpoint.model()
      _ = try LineScorer(model, weights: weights, vocabulary: vocabulary).score(
        ["a b c"], given: [DecoderInput()])
      _ = try PyTorchExport(checkpoint)
      return
    }
    if try checkpoint.interface().encoded != nil {
      let interpreter = try SequenceTranslator(checkpoint)
      let sources =
        interpreter.readsFrames
        ? try interpreter.sources(in: folder + "/frames.csv").map(\.given)
        : ["a b", "c"].map(interpreter.given)
      let known = try ToldConditions(
        checkpoint, words: checkpoint.interface().isConditioned ? ["eva", "3"] : [])
      _ = interpreter.search(
        try known.add(to: sources, of: "sources"), beam: 2,
        normalisation: LengthNormalisation(alpha: 1))
    }
    if try checkpoint.options().data.task != nil {
      _ = try SeriesContinuation(checkpoint).text(after: nil, length: 3, temperature: 1, seed: 1)
    }
    _ = try SequenceScore(of: .part(.valid), with: path, batchSize: 2, beam: 1, world: world)
  }

  private func expectSentence(_ error: any Error, _ mutation: StateMutation) {
    let (code, words) = (ExitStatus.of(error), "\(error)")
    // A command that a model does not know is 64.
    #expect(code == 65 || error is UsageError, "\(mutation): \(code), \(words)")
    #expect(
      !words.contains("\n") && !words.contains("Swift") && !words.contains("Decoding")
        && !words.contains("Context("), "\(mutation): \(words)")
  }
}
