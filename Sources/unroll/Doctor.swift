internal import ArgumentParser
internal import Collectives
internal import Configuration
internal import ProcessorCheck
internal import Tools
internal import Training

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks the machine, or under mpirun the hosts of a job, and prints advice.",
    discussion: """
      Checks processors, Open MPI, how ranks are spread over hosts and cores, the library for \
      matrix products, shared memory and the disk. With several ranks it also measures the links \
      between them for about two seconds and says which way of exchanging gradients pays. The exit \
      code is 0 if training would work, 70 otherwise.
      """)

  @Option(help: "The folder for runs, whose disk is checked.", completion: .directory)
  var folder = "."

  @Option(
    help: "The numbers of the gradient that is summed, without the embedding, as in 13.7e6.")
  var parameters = Double(StepLoad().parameters)

  @Option(help: "The targets of a step on one rank: streams × time steps.")
  var tokens = StepLoad().tokens

  func run() throws {
    guard (1...1e12).contains(parameters) else {
      throw UsageError("--parameters is \(parameters): give 1 to 1e12")
    }
    guard (1...1 << 24).contains(tokens) else {
      throw UsageError("--tokens is \(tokens): give 1 to \(1 << 24)")
    }
    let load = StepLoad(parameters: Int(parameters), tokens: tokens)
    let launch = Launch()
    try inWorld { world in
      let diagnosis = try HealthReport.make(
        in: world, launch: launch, builtFor: String(cString: unroll_built_for()), folder: folder,
        load: load)
      if let diagnosis { print(diagnosis.words) }
      // The exit code of a job is that of any rank with one.
      return diagnosis?.isUsable == false ? ExitStatus.software : ExitStatus.done
    }
  }
}
