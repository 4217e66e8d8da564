public import Checkpointing
internal import Configuration
internal import Datasets
public import LinearAlgebra
public import Recurrence

/// The continuation of series by `unroll generate`, for a model that reads frames.
public struct SeriesContinuation {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let format: SeriesFormat

  /// - Parameters:
  ///   - checkpoint: The checkpoint whose model continues series.
  ///   - precision: The number format of the products; nil for that of the run.
  /// - Throws: `UsageError`, also if the model's outputs are not its next inputs.
  public init(_ checkpoint: Checkpoint, precision: Precision? = nil) throws {
    let (model, weights) = try checkpoint.anyModel(precision: precision)
    guard let model = model as? SequenceModel,
      let format = SeriesFormat(
        try checkpoint.options().data, readsItsOutputs: model.interface.ends != nil),
      model.interface.input == .frames(format.width),
      [.numbers(format.width), .labels(format.width)].contains(model.interface.output)
    else {
      throw UsageError(
        "\(checkpoint.path) does not predict its own next frame (in a table, targets: next, or "
          + "targets that are the inputs of the next row), so it cannot continue a series: use "
          + "unroll evaluate")
    }
    self.model = model
    self.weights = weights
    self.format = format
  }

  /// Continues each series of a file, or one that starts from a frame of zeros, which is left out
  /// of the result.
  /// - Parameters:
  ///   - path: The file of the series, in the format of the model's data; nil to start from a frame
  ///     of zeros.
  ///   - given: The condition of each series, for a conditioned model.
  ///   - length: The number of frames to add to each; fewer if the model predicts an end.
  ///   - temperature: The divisor of the logits of labels, ends and lengths; 0 takes the likelier
  ///     value.
  ///   - seed: The same seed and series give the same labels and ends.
  /// - Returns: The series with their continuations, in the format of the model's data.
  public func text(
    after path: String?, given: DecoderInput = DecoderInput(), length: Int, temperature: Double,
    seed: UInt64
  ) throws -> String {
    let series = try path.map { (path) throws in try format.read(path) } ?? [[]]
    let width = format.width
    let run = SeriesGenerator(model, weights: weights, seed: seed, temperature: temperature)
    return format.text(
      try series.map { frames in
        let least = try fewestOutputs(after: frames.count / width)
        run.restart(atLeast: least, knowing: model.interface.isConditioned ? [given] : [])
        if frames.isEmpty { run.read(Array(repeating: 0, count: width)) }
        for start in stride(from: 0, to: frames.count, by: width) {
          run.read(Array(frames[start..<start + width]))
        }
        return frames + run.untilEnds(atMost: length)[0]
      })
  }

  /// Returns the fewest outputs of a series that begins with `frames` frames, for models with
  /// length prediction. The first frame is not an output.
  private func fewestOutputs(after frames: Int) throws -> Int {
    guard let longest = model.longestPredicted else { return 0 }
    guard frames <= longest + 1 else {
      throw UsageError(
        "a series to continue has \(frames) frames, and the model predicts at most "
          + "\(longest + 1): give a shorter one")
    }
    return max(frames - 1, 0)
  }
}
