internal import ArgumentParser
internal import Formats
internal import Foundation
internal import Reporting
internal import Training

struct Diagnose: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Shows how far gradients reach back in runs that were trained with --diagnose gradients.",
    discussion: """
      A table of each run: the norm of each layer's gradient, the spectral radius of its recurrent \
      weights, the lags at which the gradient of a loss has fallen to a tenth and a thousandth, \
      and how many gates are closed (below 0.1) or open (above 0.9). --svg plots the norms by lag.
      """)

  @Argument(help: "The folders of runs.", completion: .directory)
  var runs: [String]

  @Option(help: "The step to show; the last one with a diagnosis unless given.")
  var step: Int?

  @Option(
    help: "Plot all runs into this file.", completion: .file(extensions: ["svg"]))
  var svg: String?

  func run() throws {
    let histories = try runs.map { try GradientHistory($0) }
    for history in histories { print(try history.words(step: step)) }
    guard let svg else { return }
    let picture = try GradientPlot(histories, step: step).svg
    do {
      try Data(picture.utf8).write(to: URL(filePath: svg), options: .atomic)
    } catch {
      throw FileError(
        .cannotWrite, svg, "\(svg) cannot be written: choose another --svg file")
    }
  }
}
