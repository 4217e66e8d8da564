internal import Configuration
internal import Datasets
public import LinearAlgebra
public import Recurrence

/// What `unroll generate` says for a model that reads frames: series that go on on their own.
public struct SeriesContinuation {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let format: SeriesFormat

  /// - Parameter precision: the number format of the products; nil for that of the run.
  /// - Throws: `UsageError` where the model predicts anything but what it reads next, too.
  public init(_ checkpoint: Checkpoint, precision: Precision? = nil) throws {
    let (model, weights) = try checkpoint.anyModel(precision: precision)
    guard let model = model as? SequenceModel,
      let format = SeriesFormat(
        try checkpoint.options().data, readsItsOutputs: model.interface.ends != nil),
      model.interface.input == .frames(format.width),
      [.numbers(format.width), .labels(format.width)].contains(model.interface.output)
    else {
      throw UsageError(
        "\(checkpoint.path) was trained on frames without being asked for the next one (of a table, "
          + "targets: next, or columns that hold what the next row reads), so it cannot go on on its "
          + "own: use unroll evaluate")
    }
    self.model = model
    self.weights = weights
    self.format = format
  }

  /// Goes on with each series of a file, or with a series from nothing but a frame of zeros, which
  /// is then left out.
  /// - Parameters:
  ///   - path: the series, as the model's data has them.
  ///   - given: what is known of each, for a model that asks for that.
  ///   - length: how many frames are added to each; fewer where the model says that a series ends.
  /// - Returns: the series with what was added, as the model's data has them.
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

  /// How many outputs a series has at least that begins with so many frames, where the model
  /// predicts how many: the first frame is none.
  private func fewestOutputs(after frames: Int) throws -> Int {
    guard let longest = model.longestPredicted else { return 0 }
    guard frames <= longest + 1 else {
      throw UsageError(
        "a series to go on from has \(frames) frames, and the model predicts at most "
          + "\(longest + 1): give a shorter one")
    }
    return max(frames - 1, 0)
  }
}
