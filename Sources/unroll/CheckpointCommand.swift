internal import ArgumentParser
internal import Checkpointing
internal import Training

struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint",
    abstract: "Lists, verifies and describes checkpoints.",
    subcommands: [List.self, Verify.self, Inspect.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows every checkpoint of a run.",
      discussion: """
        Shows step, time and size, whether latest or best names the checkpoint, and whether the \
        sizes of its files are right; unroll checkpoint verify reads every byte.
        """)

    @Argument(help: "The folder of a run, or of its checkpoints.", completion: .directory)
    var path: String

    @Flag(help: "Print a JSON array.")
    var json = false

    func run() throws {
      let list = try CheckpointList(path)
      print(json ? try list.json : list.words)
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reads every byte of one checkpoint, or of all checkpoints of a run.",
      discussion: """
        Compares sizes and checksums with those in state.json. Each problem is a line on \
        standard error; with any problem the exit code is 65.
        """)

    @Argument(
      help: "A checkpoint, the folder of a run, or of its checkpoints.", completion: .directory)
    var path: String

    func run() throws {
      let (whole, problems) = try CheckpointList.verify(path)
      for checkpoint in whole { print("\(checkpoint): whole") }
      for problem in problems { say("\(problem)") }
      if !problems.isEmpty { throw ExitCode(ExitStatus.data) }
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Describes a checkpoint: its step, model, tensors and configuration.",
      discussion: "For a run, the latest checkpoint. Every byte is read and verified first.")

    @OptionGroup var from: CheckpointArgument

    @Flag(help: "Print one JSON object, with the whole configuration.")
    var json = false

    func run() throws {
      let inspection = try CheckpointInspection(Checkpoint(verifying: from.locate()))
      print(json ? try inspection.json : inspection.words)
    }
  }
}
