internal import ArgumentParser
internal import Reporting

struct Runs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the runs in a folder: their state, step, losses and speed.",
    discussion: """
      The loss is the mean of the last 20 steps, best the lowest validation loss and at its step, \
      among the last steps that the metrics hold; speed is the targets per second of the last \
      steps. A run is running if a process trains in its folder, complete if all its steps were \
      taken or validation stopped improving, diverged if its last loss or gradient was not finite, and \
      otherwise stopped.
      """)

  @Argument(help: "The folder in which the runs are.", completion: .directory)
  var folder = "runs"

  @Flag(help: "Print a JSON object for each run.")
  var json = false

  func run() throws {
    let table = try RunTable(folder)
    print(try json ? table.json : table.words)
    if table.unreadable > 0 {
      StandardStreams.tell(
        "unroll: the metrics of \(table.unreadable) further runs cannot be read: check permissions\n"
      )
    }
  }
}
