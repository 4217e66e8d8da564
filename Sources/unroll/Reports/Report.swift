internal import ArgumentParser
internal import Configuration
internal import Formats
internal import Foundation
internal import Reporting

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a page of HTML with the curves, settings and checkpoints of runs.",
    discussion: """
      The page is one file without scripts, which any browser shows without a network. Several runs \
      are drawn into the same plots, with a table of the settings that differ.
      """)

  @Argument(help: "The folders of runs.", completion: .directory)
  var runs: [String]

  @Option(
    name: .shortAndLong,
    help: "The file to write; report.html in the folder of the only run unless given.",
    completion: .file(extensions: ["html"]))
  var output: String?

  @Flag(help: "Write the page again every 10 seconds while one of the runs goes on.")
  var watch = false

  func validate() throws {
    guard runs.count == 1 || output != nil else {
      throw ValidationError("Several runs have no folder in common: give --output FILE.")
    }
  }

  func run() throws {
    let path = output ?? runs[0] + "/report.html"
    print(path)
    while true {
      let page = try ReportPage(runs)
      try replaceFile(path, with: page.html)
      guard watch, page.isRunning else { break }
      sleep(10)
    }
  }
}
