internal import ArgumentParser
internal import Collectives
internal import Configuration
internal import Formats
internal import Foundation
internal import Tools
internal import Training

struct Plan: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Predicts the step time of a configuration on a cluster, for each way to exchange gradients.",
    discussion: """
      The last file describes the cluster; the others are configurations. With --measure, a short run \
      fills in that file, alone or under mpirun. docs/commands.md has its keys, docs/scaling.md the \
      model and its error.
      """)

  @Argument(
    help: "Configuration files, then the file that describes the cluster.",
    completion: .file(extensions: ["yaml", "yml"]))
  var files: [String]

  @Flag(help: "Measure this machine, or the hosts of a job, and write the description.")
  var measure = false

  @Option(help: "The number of symbols, if the configuration does not tell it.")
  var vocabulary: Int?

  @Option(help: "Streams of each rank; its share of the configuration's batch_size unless given.")
  var batchSize: Int?

  @Option(help: "The number of nodes, in place of that of the description.")
  var nodes: Int?

  @Option(help: "Show the efficiency on 1, 2, 4, … nodes, up to so many ranks.")
  var upTo: Int?

  @Option(
    help: "Write a plot of the efficiency over the number of ranks, as SVG.", completion: .file())
  var plot: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: "Set a key of the configuration, as in training.bptt=70; may be repeated.")
  var assignments: [String] = []

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard files.count > 1 else {
      throw ValidationError("give a configuration and, after it, the file of a cluster")
    }
    guard nodes ?? 1 > 0, upTo ?? 1 > 0, upTo ?? 1 <= 65_536 else {
      throw ValidationError("--nodes and --up-to need 1 to 65536")
    }
  }

  func run() throws {
    let (path, given) = (files[files.count - 1], Array(files.dropLast()))
    let options = try Configuration.decode(RunOptions.self, from: given, set: assignments)
    if measure { return try measure(options, path) }
    var cluster = try ClusterDescription(file: path)
    if let nodes { cluster = try cluster.withNodes(nodes) }
    let request = try PlanRequest(
      options, on: cluster, vocabulary: vocabulary, streams: batchSize)
    let plan = try StepPlan(request, upTo: upTo ?? (plot == nil ? nil : cluster.ranks))
    if let plot { try replaceFile(plot, with: ScalingPlot(plan).svg) }
    print(json ? try plan.json : plan.words)
  }

  private func measure(_ options: RunOptions, _ path: String) throws {
    let isKnown = FileManager.default.fileExists(atPath: path)
    let known = isKnown ? try ClusterDescription(file: path) : nil
    let measurement = try ClusterMeasurement(
      options, vocabulary: vocabulary, streams: batchSize, keeping: known,
      ranks: Launch().size ?? 1)
    try inWorld { world in
      let cluster = try measurement.run(in: world)
      try world.unanimous {
        guard world.isRoot else { return }
        try replaceFile(path, with: cluster.yaml)
        say("wrote \(path)")
        print(cluster.yaml, terminator: "")
      }
      return ExitStatus.done
    }
  }
}
