import Collectives
import Configuration
import Formats
import Foundation
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Tools

@Suite struct `Benchmarks` {
  /// Embedding, hidden, vocabulary, streams and steps are different numbers.
  static func shape(cell: String = "lstm") -> BenchRequest.Shape {
    var shape = BenchRequest.Shape()
    shape.cell = cell
    shape.layers = 2
    shape.hidden = 7
    shape.embedding = 5
    shape.vocabulary = 60
    shape.batchSize = 3
    shape.bptt = 11
    return shape
  }

  static func request(
    _ task: BenchRequest.Task = .train, _ shape: BenchRequest.Shape = shape(), ranks: Int = 1
  ) throws -> BenchRequest {
    try BenchRequest(task, shape, steps: 4, ranks: ranks)
  }

  static func layout(_ request: BenchRequest) -> ParameterLayout {
    ParameterLayout(
      SequenceModel(request.options.model.sequence!, vocabulary: request.vocabulary, seed: 1).plan)
  }

  /// Multiplications a symbol: the first layer reads 5, the second 7, the output layer 7.
  static let multiplyAdds = [
    // The output layer alone: constants are left out.
    "echo-state": 60 * 7,
    "elman": 7 * 5 + 7 * 7 + 7 * 7 + 7 * 7 + 60 * 7,
    "lstm": 28 * 5 + 28 * 7 + 28 * 7 + 28 * 7 + 60 * 7,
    "clockwork": 8 * 5 + 2 * (8 + 6 + 4 + 2) + 8 * 8 + 2 * (8 + 6 + 4 + 2) + 60 * 8,
    "jordan": 7 * 5 + 2 * 7 * 7 + 7 * 7 + 2 * 7 * 7 + 60 * 7,
    // Two products with what a step begins with, one inside it.
    "deep-transition": 7 * 5 + 2 * 7 * 7 + 7 * 7 + 2 * 7 * 7 + 60 * 7,
    "skip": 7 * 5 + 2 * 7 * 7 + 7 * 7 + 2 * 7 * 7 + 60 * 7,
    "gru": 21 * 5 + 21 * 7 + 21 * 7 + 21 * 7 + 60 * 7,
    "gru-reset-before": 21 * 5 + 21 * 7 + 21 * 7 + 21 * 7 + 60 * 7,
    "update-gru": 14 * 5 + 14 * 7 + 14 * 7 + 14 * 7 + 60 * 7,
    "leaky": 7 * 5 + 7 * 7 + 7 * 7 + 7 * 7 + 60 * 7,
    // Two products with the past and the factors of it.
    "multiplicative": 14 * 5 + 2 * 49 + 14 * 7 + 2 * 49 + 60 * 7,
    "mlstm": 35 * 5 + 5 * 49 + 35 * 7 + 5 * 49 + 60 * 7,
    // A weight for each pair of a unit and an input, for each unit.
    "second-order": 49 * 5 + 49 * 7 + 60 * 7,
    "min-gru": 14 * 5 + 14 * 7 + 60 * 7,
    "min-lstm": 21 * 5 + 21 * 7 + 60 * 7,
    "dense": 7 * 5 + 7 * 7 + 60 * 7,
  ]

  /// Of a cell that nobody has counted by hand: the sizes of all matrices that its model has beside
  /// the embedding, as a checkpoint's tensors have them, and the products of its states.
  static func multiplyAdds(ofNew cell: String, _ shape: BenchRequest.Shape) throws -> Int {
    layout(try request(.train, shape)).entries
      .filter { $0.name != "encoder.weight" && !$0.isVector }
      .reduce(stateProducts[cell] ?? 0) { $0 + $1.rows * $1.columns }
  }

  /// The products of states of two layers with 7 units and one head, by hand.
  static let stateProducts = [
    // k vᵀ and the read.
    "matrix-lstm": 2 * 2 * 7 * 7,
    "mamba2": 2 * 2 * 128 * 7,
    // As of the matrix LSTM, with 8 units.
    "xlstm-mlstm": 2 * 2 * 8 * 8,
    // The read of the key, which has 3 numbers, its product with what replaces it, and the read.
    "gated-deltanet": 2 * 3 * 3 * 7,
    // (1 − f) vᵀ or k vᵀ, and the read; of retention with 4 numbers in a key.
    "hgrn2": 2 * 2 * 7 * 7,
    "retention": 2 * 2 * 4 * 7,
    "rwkv6": 2 * 2 * 7 * 7,
    // The read of the key, its product with what replaces it, v kᵀ and the read.
    "rwkv7": 2 * 4 * 7 * 7,
    // As of a matrix memory; and H U multiplies 7 rows, of which the sizes count one.
    "m2rnn": 2 * (2 * 7 * 7 + 6 * 7 * 7),
  ]

  @Test func `no cell counted by hand is lost`() {
    #expect(Set(multiplyAddsNames).isSubset(of: cells.keys))
  }
  private var multiplyAddsNames: [String] { Array(Self.multiplyAdds.keys) }

  @Test(arguments: cells.keys.sorted())
  func `the operations of every cell are those counted by hand`(_ cell: String) throws {
    var shape = Self.shape(cell: cell)
    // Four modules, or blocks of 4 × 4 numbers.
    if ["clockwork", "xlstm-mlstm"].contains(cell) { shape.hidden = 8 }
    let layout = Self.layout(try Self.request(.train, shape))
    let expected = try Self.multiplyAdds[cell] ?? Self.multiplyAdds(ofNew: cell, shape)
    #expect(layout.multiplyAdds(\.training) == Double(expected))
    // A symbol reads every weight, but of the embedding one row.
    let embedding = shape.embedding ?? 0
    let whole = layout.learnt - 60 * embedding + embedding
    #expect(layout.bytesReadPerSymbol == 4 * whole)
  }

  @Test func `rare symbols and those that are not sampled are multiplied with in few rows`() throws
  {
    func layout(_ output: String) throws -> ParameterLayout {
      let options = try Configuration(
        yaml: """
          data: {train: text.txt, tokenizer: byte}
          model: {embedding: 6, layers: [{cell: elman, hidden: 16}], output: {\(output)}}
          training: {batch_size: 5, bptt: 4}
          """, file: "test"
      ).decode(RunOptions.self)
      return Self.layout(
        try BenchRequest(.train, BenchRequest.Shape(), configuration: options, ranks: 1))
    }
    let others = Double(16 * 6 + 16 * 16)
    // The share 1/n of the symbol of rank n, summed as it stands.
    func harmonic(_ ranks: Range<Int>) -> Double { ranks.reduce(0) { $0 + 1 / Double($1 + 1) } }
    let adaptive = try layout("kind: adaptive, cutoffs: [40, 100]")
    var rare = 0.0
    for (ranks, width) in [(40..<100, 4), (100..<256, 1)] {
      let numbers = Double(16 * width + width * ranks.count)
      rare += numbers * harmonic(ranks) / harmonic(0..<256)
    }
    let found = adaptive.multiplyAdds(\.training)
    #expect(abs(found - (others + 16 * 42 + rare)) < 0.01 * rare)
    #expect(adaptive.multiplyAdds(\.evaluation) == found)
    let sampled = try layout("kind: sampled, samples: 32")
    #expect(sampled.multiplyAdds(\.training) == others + 16 * 32)
    #expect(sampled.multiplyAdds(\.evaluation) == others + 16 * 256)
  }

  @Test func `a tied matrix is multiplied with once, and a projection makes products smaller`()
    throws
  {
    let options = try Configuration(
      yaml: """
        data: {train: text.txt, tokenizer: byte}
        model: {embedding: 6, tied: true, layers: [{cell: lstm, hidden: 9, projection: 6}]}
        training: {batch_size: 5, bptt: 4}
        """, file: "test"
    ).decode(RunOptions.self)
    let request = try BenchRequest(
      .train, BenchRequest.Shape(), configuration: options, ranks: 2)
    #expect(request.vocabulary == 256)
    #expect(request.options.training.batchSize == 5)
    let products = 36 * 6 + 36 * 6 + 6 * 9
    #expect(Self.layout(request).multiplyAdds(\.training) == Double(products + 256 * 6))
    var shape = BenchRequest.Shape()
    shape.batchSize = 5
    shape.vocabulary = 30
    let other = try BenchRequest(.train, shape, configuration: options, ranks: 2)
    #expect(other.options.training.batchSize == 10)
    #expect(Self.layout(other).multiplyAdds(\.training) == Double(products + 30 * 6))
  }

  @Test func `what cannot be measured is refused with a sentence`() throws {
    let changes: [(String, (inout BenchRequest.Shape) -> Void)] = [
      ("--hidden", { $0.hidden = 0 }), ("--layers", { $0.layers = 0 }),
      ("--layers", { $0.layers = 1001 }), ("--embedding", { $0.embedding = -1 }),
      ("--vocabulary", { $0.vocabulary = 1 }), ("--batch-size", { $0.batchSize = 0 }),
      ("--bptt", { $0.bptt = 1 << 25 }), ("--cell", { $0.cell = "lstn" }),
      ("--precision", { $0.precision = "float16" }),
      (
        "--batch-size",
        {
          $0.batchSize = 1 << 20
          $0.bptt = 1 << 20
        }
      ),
    ]
    for (flag, change) in changes {
      var shape = Self.shape()
      change(&shape)
      let error = #expect(throws: UsageError.self) { try Self.request(.train, shape) }
      #expect(error?.description.contains(flag) == true)
    }
    #expect(throws: UsageError.self) {
      try BenchRequest(.train, Self.shape(), steps: 0, ranks: 1)
    }
    let options = try Configuration(
      yaml: """
        data: {train: text.txt, tokenizer: word}
        model: {embedding: 6, tied: true, layers: [{cell: gru, hidden: 6}]}
        """, file: "test"
    ).decode(RunOptions.self)
    let error = #expect(throws: UsageError.self) {
      try BenchRequest(.train, BenchRequest.Shape(), configuration: options, ranks: 1)
    }
    #expect(error?.description.contains("--vocabulary") == true)
    var shape = BenchRequest.Shape()
    shape.vocabulary = 40
    shape.embedding = 9
    #expect(throws: UsageError.self) {
      try BenchRequest(.train, shape, configuration: options, ranks: 1)
    }
  }

  static func measure(_ request: BenchRequest) throws -> (BenchReport, JSONValue) {
    let report = try Benchmark(request).run(in: SingleProcess())
    let json = try JSONDecoder().decode(JSONValue.self, from: Data(report.json.utf8))
    return (report, json)
  }

  @Test func `a report has every figure, and its loss is that of an untrained model`() throws {
    try withTemporaryFolder { folder in
      var request = try Self.request()
      request.textPath = folder + "/text"
      request.weightsPath = folder + "/weights"
      let (report, json) = try Self.measure(request)
      try check(report, json)
      // 200,000 symbols and more, in whole windows of three streams.
      #expect(try bytes(at: request.textPath!).count == 4 * 3 * (200_000 / 33 * 11 + 1))
      #expect(try SafetensorsFile(request.weightsPath!).tensors.count == 11)
    }
  }

  private func check(_ report: BenchReport, _ json: JSONValue) throws {
    guard case .object(let members) = json else {
      Issue.record("no object")
      return
    }
    #expect(
      members.keys.sorted() == [
        "batch_size", "bptt", "bytes_per_step", "first_loss", "fraction_of_peak", "gflops",
        "hidden_share", "kernels", "last_loss", "mean_step_milliseconds",
        "model", "operations_per_token", "parameters", "peak_gflops", "peak_memory_bytes", "phases",
        "precision", "products", "ranks", "read_gigabytes_per_second", "setup_seconds",
        "start_memory_bytes", "step_milliseconds", "steps", "task", "tokens_per_second",
        "tokens_per_second_high", "tokens_per_second_low", "vocabulary", "weight_bytes",
        "weight_gigabytes_per_second",
      ])
    #expect(report.operationsPerToken == Double(6 * Self.multiplyAdds["lstm"]!))
    #expect(json["step_milliseconds"]?["lower_quartile"]?.double ?? 0 > 0)
    #expect(report.steps == 4 && report.batchSize == 3 && report.bptt == 11)
    #expect(abs(report.firstLoss - log(60)) < 0.3)
    #expect(report.lastLoss != report.firstLoss)
    #expect(report.words.split(separator: "\n").count > 8)

    // The same weights and windows, one step earlier or later, forward only.
    let (evaluation, _) = try Self.measure(try Self.request(.evaluate))
    #expect(abs(evaluation.firstLoss - report.firstLoss) < 1e-6)
    #expect(evaluation.operationsPerToken == Double(2 * Self.multiplyAdds["lstm"]!))
    for used in [
      "input_projection", "recurrent_products", "pointwise", "output_layer", "embedding",
    ] {
      #expect(report.phases[used] ?? 0 > 0)
      #expect(evaluation.phases[used] ?? 0 > 0)
    }
    #expect(report.phases["optimizer"] ?? 0 > 0)
    #expect(evaluation.phases["optimizer"] == 0)
    #expect(report.phases["sampling"] == 0)
  }

  @Test func `drawing reads all weights for each symbol`() throws {
    let (report, _) = try Self.measure(try Self.request(.generate))
    #expect(report.batchSize == 1 && report.bptt == 1)
    #expect(report.phases["sampling"] ?? 0 > 0)
    #expect(report.phases["recurrent_products"] ?? 0 > 0)
    let layout = Self.layout(try Self.request(.generate))
    #expect(report.weightBytes == 4 * (layout.learnt - 60 * 5 + 5))
    let rate = Double(report.weightBytes) * report.tokensPerSecond * 1e-9
    #expect(abs(report.weightGigabytesPerSecond - rate) < 1e-6 * rate)
  }

  @Test func `every rank has the batch size that was asked for`() throws {
    let request = try Self.request(ranks: 2)
    #expect(request.options.training.batchSize == 6)
    let reports = try ThreadCommunicator.run(2) { world in try Benchmark(request).run(in: world) }
    for report in reports {
      #expect(report.ranks == 2 && report.batchSize == 3)
      #expect(
        abs(report.tokensPerSecond * report.stepMilliseconds.median - 66_000) < 1)
      #expect(report.phases["reduction"] ?? 0 > 0)
    }
    #expect(reports[0].firstLoss == reports[1].firstLoss)
  }
}
