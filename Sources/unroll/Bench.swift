public import ArgumentParser
internal import Collectives
internal import Configuration
internal import Foundation
internal import Inference
internal import Recurrence
internal import Tools
internal import Training

extension BenchRequest.Task: ExpressibleByArgument {}

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures the speed and memory of a model, alone or under mpirun.",
    discussion: """
      The model comes from flags, or from configuration files whose values the flags override; the \
      text is generated. Training without a configuration uses SGD with gradient norm clipping. \
      Results: docs/performance.md.
      """)

  @Argument(
    help: "Configuration files whose model and training are measured.",
    completion: .file(extensions: ["yaml", "yml"]))
  var configurations: [String] = []

  @Option(help: "train, evaluate or generate.")
  var task = BenchRequest.Task.train

  @Option(help: "The cell of every layer; lstm unless given.")
  var cell: String?

  @Option(help: "The number of recurrent layers; 2 unless given.")
  var layers: Int?

  @Option(help: "Units of each layer; 650 unless given.")
  var hidden: Int?

  @Option(help: "The embedding's width; that of the layers unless given.")
  var embedding: Int?

  @Option(help: "The number of symbols; 10000 unless given.")
  var vocabulary: Int?

  @Option(help: "Parallel streams of each rank; 20 unless given.")
  var batchSize: Int?

  @Option(help: "Time steps per window; 35 unless given.")
  var bptt: Int?

  @Option(help: "float32 or bfloat16: the number format of the products.")
  var precision: String?

  @Option(help: "The number of timed steps; about ten seconds of steps unless given.")
  var steps: Int?

  @Option(help: "The number of steps before the timed ones.")
  var warmUp = 2

  @Option(
    help: "Write the generated symbols here, 32-bit numbers stream after stream.",
    completion: .file())
  var writeText: String?

  @Option(
    help: "Write the initial weights here, as a file that PyTorch loads.",
    completion: .file(extensions: ["safetensors"]))
  var writeWeights: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: "Set a key of the configuration, as in communication.wire=bfloat16; may be repeated.")
  var assignments: [String] = []

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    var shape = BenchRequest.Shape()
    shape.cell = cell
    shape.layers = layers
    shape.hidden = hidden
    shape.embedding = embedding
    shape.vocabulary = vocabulary
    shape.batchSize = batchSize
    shape.bptt = bptt
    shape.precision = precision
    let given: RunOptions?
    if !configurations.isEmpty {
      given = try Configuration.decode(RunOptions.self, from: configurations, set: assignments)
    } else if assignments.isEmpty {
      given = nil
    } else {
      given = try BenchRequest.defaults(set: assignments)
      shape.vocabulary = vocabulary ?? 10_000
      if !assignments.contains(where: { $0.hasPrefix("training.batch_size=") }) {
        shape.batchSize = batchSize ?? 20
      }
    }
    // Checked before MPI starts, so that a mistake is reported at once.
    let ranks = Launch().size ?? 1
    var request = try BenchRequest(
      task, shape, configuration: given, steps: steps, warmUp: warmUp, ranks: ranks)
    request.textPath = writeText
    request.weightsPath = writeWeights
    try inWorld { [request] world in
      let report = try Benchmark(request).run(in: world)
      if world.isRoot { print(json ? try report.json : report.words) }
      return ExitStatus.done
    }
  }
}
