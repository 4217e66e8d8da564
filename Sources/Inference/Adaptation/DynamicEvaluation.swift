internal import Collectives
internal import Configuration
internal import Datasets
internal import LinearAlgebra
internal import Recurrence
internal import Sequences

/// Scores a text segment by segment, and after each segment takes a step of gradient descent on it
/// (Krause, Kahembwe, Murray & Renals 2018).
///
/// g is the gradient of the mean loss of the segment's targets, through the segment's steps; the states
/// before it are carried, not differentiated. The model has no dropout.
final class DynamicEvaluation {
  private let loader: any BatchLoader
  private let model: SequenceModel
  private let weights: ParameterVector
  private let world: any Communicator
  private let gradients: SegmentGradients?
  private let gradient: ParameterVector
  /// θ₀
  private let initial: ParameterVector
  /// The rows of each row-sparse parameter that may differ from θ₀; no other row changes.
  private var moved: [(entry: ParameterLayout.Entry, rows: RowSet)] = []

  /// - Parameter model: A model made without dropout.
  /// - Throws: `DataError` if the text is too short for the streams.
  init(
    _ text: Corpus, _ model: SequenceModel, _ weights: ParameterVector, segment: Int,
    batchSize: Int, world: any Communicator
  ) throws(DataError) {
    self.model = model
    self.weights = weights
    self.world = world
    let request = LoaderRequest(
      batchSize: batchSize, bptt: segment, rank: world.rank, world: world.size,
      allowsEmptyShare: true)
    loader = try Streams(text, request)
    gradients = SegmentGradients(model, loader)
    gradient = ParameterVector(weights.layout)
    initial = ParameterVector(weights.layout)
    initial.buffer.copy(from: weights.buffer)
  }

  /// Refuses a model whose gradients are not those of its loss in evaluation.
  func checkNoise() throws(UsageError) {
    guard gradients?.isWithoutNoise(weights) == false else { return }
    throw UsageError(
      "the model's loss in training is not that of evaluation, because its training samples something "
        + "that cannot be left out: --dynamic has no gradient of such a model; use --cache")
  }

  /// Scores the whole text, and puts the weights back. Collective.
  /// - Parameter scale: R; nil for the rule without it.
  func run(_ options: DynamicOptions, scale: GradientScale?) throws -> Score {
    defer { weights.update { $0.buffer.copy(from: initial.buffer) } }
    loader.rewind()
    gradients?.clear()
    moved = weights.layout.rowSparse.map { ($0, RowSet(of: $0.rows)) }
    var sums = [0.0, 0.0, 0.0]
    for window in 0..<loader.windowsPerEpoch {
      gradient.clear()
      var asked = [0.0]
      if let loss = gradients?.next(weights: weights, gradient: gradient) {
        sums[0] += loss.sum
        sums[1] += Double(loss.targets)
        sums[2] += Double(loss.correct)
        asked[0] = Double(loss.targets)
      }
      // Nothing is predicted after the last segment.
      guard window + 1 < loader.windowsPerEpoch else { break }
      try world.sum(&asked)
      try world.sum(gradient.buffer)
      // Other ranks have read other rows.
      if world.size > 1 { gradient.touchAllRows() }
      if asked[0] > 0 { descend(options, scale, mean: 1 / asked[0]) }
    }
    try world.sumInTree(&sums)
    return Score(lossSum: sums[0], targets: Int(sums[1]), correct: Int(sums[2]))
  }

  private func descend(_ options: DynamicOptions, _ scale: GradientScale?, mean: Double) {
    weights.update { weights in
      for entry in weights.layout.entries where !entry.isFrozen {
        let step = Step(options, scale, mean: mean)
        guard let touched = gradient.touchedRows(entry.parameter),
          let moved = moved.first(where: { $0.entry.offset == entry.offset })?.rows
        else {
          descend(entry, 0..<entry.rows, step, scale)
          continue
        }
        touched.forEachRun { run in for row in run { moved.insert(row) } }
        moved.forEachRun { descend(entry, $0, step, scale) }
      }
    }
  }

  private func descend(
    _ entry: ParameterLayout.Entry, _ rows: Range<Int>, _ step: Step, _ scale: GradientScale?
  ) {
    for row in rows {
      let (w, g, first) = (weights[entry][row], gradient[entry][row], initial[entry][row])
      if let scale {
        descendScaled(w, g, first, scale.root[entry][row], step)
      } else {
        descendPlainly(w, g, first, step)
      }
    }
  }
}

/// The numbers of one step of gradient descent.
private struct Step {
  let rate, mean, epsilon, decay: Real

  /// - Parameter mean: The factor that makes a mean of the gradient's sum.
  init(_ options: DynamicOptions, _ scale: GradientScale?, mean: Double) {
    rate = Real(options.rate)
    self.mean = Real(mean)
    epsilon = Real(options.epsilon)
    let size = scale?.mean ?? 1
    decay = size > 0 ? Real(options.decay / size) : 0
  }
}

/// θ ← θ − η g + λ (θ₀ − θ)
@inline(never) private func descendPlainly(_ w: Row, _ g: Row, _ first: Row, _ k: Step) {
  for j in 0..<w.count { w[j] += k.decay * (first[j] - w[j]) - k.rate * (k.mean * g[j]) }
}
/// θ ← θ − η g / (R + ε) + min(λ R, 1) (θ₀ − θ), λ divided by the mean of R
@inline(never) private func descendScaled(
  _ w: Row, _ g: Row, _ first: Row, _ root: Row, _ k: Step
) {
  for j in 0..<w.count {
    let pull = min(k.decay * root[j], 1) * (first[j] - w[j])
    w[j] += pull - k.rate * (k.mean * g[j]) / (root[j] + k.epsilon)
  }
}

/// Runs a model forward and backward over the windows of a loader.
final class SegmentGradients {
  private let loader: any BatchLoader
  private let model: SequenceModel
  private let batch: Batch
  private let method: FullWindow

  /// Returns nil for a rank with nothing to read.
  init?(_ model: SequenceModel, _ loader: any BatchLoader) {
    guard !loader.windowSizes.isEmpty else { return nil }
    self.model = model
    self.loader = loader
    batch = loader.makeBatch()
    method = FullWindow(
      on: Tape(
        model.plan, fitting: loader.windowSizes, derivatives: true, resets: loader.mayReset))
  }

  func clear() { method.clear() }

  /// Returns true if the loss of the first window is the same in training as in evaluation.
  func isWithoutNoise(_ weights: ParameterVector) -> Bool {
    loader.rewind()
    loader.next(into: batch)
    loader.rewind()
    method.clear()
    model.forward(method.tape.begin(batch, weights: weights))
    let plain = method.tape.loss.sum
    let gradient = ParameterVector(weights.layout)
    method.differentiate(model, batch, weights: weights, gradient: gradient)
    return abs(method.tape.loss.sum - plain) <= 1e-3 * plain
  }

  /// Reads the next window and adds the gradient of its summed loss.
  func next(weights: ParameterVector, gradient: ParameterVector) -> Loss {
    if loader.startsAnew { method.clear() }
    loader.next(into: batch)
    method.differentiate(model, batch, weights: weights, gradient: gradient)
    method.carryStates()
    return method.tape.loss
  }
}

/// R: the root of the mean square of the gradient of each weight.
struct GradientScale {
  let root: ParameterVector
  /// The mean of R over all weights that are not frozen.
  let mean: Double
}

extension DynamicOptions {
  /// The number of streams that the scale of gradients is measured with.
  static let statisticsStreams = 20

  /// Measures R on the first windows of the training data, each a gradient of its mean loss. Collective.
  /// - Returns: nil for a rule without it.
  func gradientScale(
    _ model: SequenceModel, _ weights: ParameterVector, training: Corpus, world: any Communicator
  ) throws -> GradientScale? {
    guard rule == .rms else { return nil }
    let root = ParameterVector(weights.layout)
    var mean = [0.0]
    try world.unanimous {
      // The windows are few: the root reads them all, so that R does not depend on the world size.
      guard world.isRoot else { return }
      let streams = min(Self.statisticsStreams, training.count / 2)
      let loader = try Streams(training, LoaderRequest(batchSize: streams, bptt: segment))
      guard let gradients = SegmentGradients(model, loader) else { return }
      let gradient = ParameterVector(weights.layout)
      let windows = min(statistics, loader.windowsPerEpoch)
      for _ in 0..<windows {
        gradient.clear()
        let loss = gradients.next(weights: weights, gradient: gradient)
        let factor = 1 / Real(max(loss.targets, 1))
        for entry in root.layout.entries where !entry.isFrozen {
          for row in 0..<entry.rows { addSquares(gradient[entry][row], factor, root[entry][row]) }
        }
      }
      mean[0] = takeRoots(root, windows: windows)
    }
    try world.sum(&mean)
    try world.share(root)
    return GradientScale(root: root, mean: mean[0])
  }

  /// Replaces sums of squares by roots of their means, and returns the mean of these.
  private func takeRoots(_ root: ParameterVector, windows: Int) -> Double {
    var (sum, count) = (0.0, 0)
    for entry in root.layout.entries where !entry.isFrozen {
      for row in 0..<entry.rows {
        let r = root[entry][row]
        for j in 0..<r.count {
          r[j] = (r[j] / Real(windows)).squareRoot()
          sum += Double(r[j])
        }
      }
      count += entry.count
    }
    return sum / Double(max(count, 1))
  }
}

/// R += (f g)²
@inline(never) private func addSquares(_ g: Row, _ factor: Real, _ root: Row) {
  for j in 0..<g.count {
    let scaled = factor * g[j]
    root[j] += scaled * scaled
  }
}
