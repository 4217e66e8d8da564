internal import Checkpointing
package import Configuration
internal import Formats
internal import Foundation
internal import Optimization
internal import Reporting
internal import Training

/// Makes a range test of the learning rate: a run of its own whose rate rises in every step.
package struct RateFinder {
  private let folder: String
  private let pool: ProgramPool

  package init(in folder: String, program: String) {
    self.folder = folder
    pool = ProgramPool(width: 1, program: program)
  }

  /// Returns the options of the test: those given, with a rising rate, and no evaluation or reaction to bad
  /// numbers on the way.
  /// - Parameter rates: The rates of the first and of the last step.
  /// - Throws: `UsageError` if nothing is trained by gradients.
  package static func options(
    _ given: RunOptions, rates: ClosedRange<Double>, steps: Int
  ) throws(UsageError) -> RunOptions {
    guard given.training.readout == nil else {
      throw UsageError("a readout that is fitted has no learning rate to find: remove --find-rate")
    }
    var options = given
    options.training.schedule = ScheduleOptions(
      learningRate: rates.upperBound, shape: .range(from: rates.lowerBound, steps: steps))
    // The run stops before its end, so that nothing is evaluated.
    options.training.length = .steps(steps + 1)
    if options.data.valid != nil { options.evaluation.every = .steps(steps + 1) }
    options.evaluation.sample = nil
    options.training.earlyStop = nil
    options.training.onNonfinite = NonfiniteOptions()
    options.training.onSpike = nil
    return options
  }

  /// Makes the test, or reads the one that was made before.
  /// - Returns: nil if a stop was requested.
  /// - Throws: `UsageError` if the folder holds another test, the run failed, or its loss says nothing.
  package func run(_ options: RunOptions) throws -> RateTest? {
    guard case .steps(let length) = options.training.length else {
      preconditionFailure("a test of rates without a number of steps")
    }
    try createFolders(folder)
    let (file, run, log) = (
      folder + "/rates.yaml", folder + "/rates", folder + "/rates/log.txt"
    )
    let yaml = Array(try ResolvedConfiguration.yaml(options).utf8)
    if RunFolder(run).isUsed, (try? readFile(file)) != yaml {
      throw UsageError(
        "\(folder) holds a test of other rates or settings: choose another --run folder")
    }
    try replaceFile(file, temporary: file + ".tmp") { (writer) throws(FileError) in
      try writer.write(yaml)
    }
    var code = ExitStatus.resumable
    try pool.run([
      ProgramPool.Job(
        arguments: [
          "train", file, "--run", run, "--progress", "none", "--stop-at", "\(length - 1)",
        ], log: log)
    ]) { code = $1 }
    if StopRequest.isMade { return nil }
    guard code == ExitStatus.resumable || code == ExitStatus.diverged else {
      throw UsageError(
        "the test of rates failed: \(ProgramPool.reason(in: log) ?? "exit code \(code)")")
    }
    guard let test = RateTest(try RunHistory(run).lines) else {
      throw UsageError(
        "the loss falls at no rate of the test: give other --rates, or more --rate-steps")
    }
    return test
  }
}
