internal import ArgumentParser
internal import Collectives
internal import ProcessorCheck
internal import Tools
internal import Training

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks the machine, or under mpirun the hosts of a job, and prints advice.",
    discussion: """
      Checks processors, Open MPI, how ranks are spread over hosts and cores, the library for \
      matrix products, shared memory and the disk. The exit code is 0 if training would work, 70 \
      otherwise.
      """)

  @Option(help: "The folder for runs, whose disk is checked.", completion: .directory)
  var folder = "."

  func run() throws {
    let launch = Launch()
    try inWorld { world in
      let diagnosis = try HealthReport.make(
        in: world, launch: launch, builtFor: String(cString: unroll_built_for()), folder: folder)
      if let diagnosis { print(diagnosis.words) }
      // The exit code of a job is that of any rank with one.
      return diagnosis?.isUsable == false ? ExitStatus.software : ExitStatus.done
    }
  }
}
