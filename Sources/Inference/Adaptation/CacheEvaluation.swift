internal import Collectives
internal import Configuration
internal import Datasets
internal import Foundation
internal import LinearAlgebra
internal import Recurrence
internal import Sequences

/// Scores a text with a cache of earlier hidden states beside the model (Grave, Joulin & Usunier 2017).
///
/// Each stream has a cache of its own. Documents reset states and not caches. The hidden state is the input
/// of the output layer.
final class CacheEvaluation {
  private let loader: any BatchLoader
  private let model: SequenceModel
  private let weights: ParameterVector
  private let world: any Communicator
  private let batch: Batch
  private let windows: WindowRunner?
  private var caches: [NeuralCache] = []

  /// - Throws: `DataError` if the text is too short for the streams.
  init(
    _ text: Corpus, _ model: SequenceModel, _ weights: ParameterVector, window: Int,
    batchSize: Int, bptt: Int, world: any Communicator
  ) throws(DataError) {
    self.model = model
    self.weights = weights
    self.world = world
    let request = LoaderRequest(
      batchSize: batchSize, bptt: bptt, rank: world.rank, world: world.size,
      allowsEmptyShare: true)
    loader = try Streams(text, request)
    batch = loader.makeBatch()
    guard let size = loader.windowSizes.first else {
      windows = nil
      return
    }
    windows = WindowRunner(model.plan, fitting: loader.windowSizes, resets: loader.mayReset)
    // The streams take turns on the memory of scores.
    let scores = Buffer<Real>(count: (window + size.steps) * size.steps)
    let terms = Buffer<Real>(count: window)
    caches = (0..<size.streams).map { _ in
      NeuralCache(
        window: window, steps: size.steps, width: model.plan.width(model.top), scores: scores,
        terms: terms)
    }
  }

  /// Scores the whole text with each θ and each λ; the model runs once. Collective.
  /// - Returns: The score of every λ for every θ. Correct predictions are not counted.
  func run(thetas: [Double], weights shares: [Double]) throws -> [[Score]] {
    // The targets, then the losses of every pair.
    var sums = [Double](repeating: 0, count: 1 + thetas.count * shares.count)
    if let windows {
      loader.rewind()
      windows.clear()
      for cache in caches { cache.clear() }
      for _ in 0..<loader.windowsPerEpoch {
        loader.next(into: batch)
        windows.run(batch, weights: weights) { pass in
          model.forward(pass)
          let (states, losses) = (pass[model.top], pass.loss.rows.elements())
          for (s, cache) in caches.enumerated() {
            cache.read(states, batch, stream: s)
            for (k, theta) in thetas.enumerated() {
              cache.forEachTarget(theta: theta) { t, found in
                let row = t * batch.streams + s
                for (l, share) in shares.enumerated() {
                  sums[1 + k * shares.count + l] += NeuralCache.loss(
                    model: Double(losses[row]), cache: found, weight: share)
                }
              }
            }
            cache.finish()
          }
          sums[0] += Double(pass.loss.targets)
        }
      }
    }
    try world.sumInTree(&sums)
    return thetas.indices.map { k in
      shares.indices.map { l in
        Score(lossSum: sums[1 + k * shares.count + l], targets: Int(sums[0]))
      }
    }
  }
}

/// The hidden states of the last steps of one stream and the symbols that followed them.
///
/// The rows of `states` are the kept steps and then those of the present window, so that one product gives
/// the scores of all pairs: steps × (kept + steps).
final class NeuralCache {
  private let window: Int
  private let states: Buffer<Real>
  private let scores: Buffer<Real>
  private let symbols: Buffer<Int32>
  /// exp(θ h · hᵢ − max) of one step.
  private let terms: Buffer<Real>
  private let width: Int
  /// The number of kept steps, and of steps of the present window.
  private var (kept, steps) = (0, 0)

  /// - Parameters:
  ///   - window: The most steps to keep.
  ///   - steps: The most steps of a window of text.
  ///   - scores: Memory for (window + steps) × steps numbers, and `terms` for `window`; other caches may
  ///     use it between `finish` and `read`.
  init(window: Int, steps: Int, width: Int, scores: Buffer<Real>, terms: Buffer<Real>) {
    self.window = window
    self.width = width
    self.scores = scores
    self.terms = terms
    states = Buffer(count: (window + steps) * width)
    symbols = Buffer(count: window + steps)
  }

  func clear() { (kept, steps) = (0, 0) }

  /// Adds the steps of a window, and computes the scores h · hᵢ of all pairs.
  func read(_ rows: Matrix, _ batch: Batch, stream: Int) {
    steps = batch.steps
    let all = Matrix(states, rows: kept + steps, columns: width)
    let targets = batch.targets.elements()
    for t in 0..<steps {
      let row = t * batch.streams + stream
      all[kept + t].copy(rows[row])
      symbols.elements()[kept + t] = targets[row]
    }
    products.setProduct(all.slice(rows: kept..<kept + steps), all.transposed)
  }

  private var products: Matrix { Matrix(scores, rows: steps, columns: kept + steps) }

  /// Calls `body` with the probability that the cache gives to the target of each step; nil while it is
  /// empty.
  func forEachTarget(theta: Double, _ body: (_ t: Int, _ probability: Double?) -> Void) {
    let products = products
    for t in 0..<steps {
      let end = kept + t
      let part = max(end - window, 0)..<end
      body(t, part.isEmpty ? nil : probability(products[t][part], part, Real(theta)))
    }
  }

  /// Returns Σᵢ softmaxᵢ(θ sᵢ) 1(xᵢ = x) over some steps i, for the target x of the step after them.
  private func probability(_ scores: Row, _ part: Range<Int>, _ theta: Real) -> Double {
    let terms = Row(terms.start, count: part.count)
    scale(scores, theta, into: terms)
    let all = terms.exponentiate(minus: terms.maximum)
    let symbols = symbols.elements()
    let target = symbols[part.upperBound]
    var found = 0.0
    for (place, i) in part.enumerated() where symbols[i] == target { found += Double(terms[place]) }
    return found / Double(all)
  }

  /// −ln ((1 − λ) p_model + λ p_cache); the model's loss while the cache is empty.
  static func loss(model: Double, cache: Double?, weight: Double) -> Double {
    guard let cache, weight > 0 else { return model }
    return -log((1 - weight) * exp(-model) + weight * cache)
  }

  /// Keeps the last steps for the next window.
  func finish() {
    let end = kept + steps
    let next = min(end, window)
    let all = Matrix(states, rows: end, columns: width)
    for row in 0..<next where end > next {
      all[row].copy(all[end - next + row])
      symbols.elements()[row] = symbols.elements()[end - next + row]
    }
    (kept, steps) = (next, 0)
  }
}

/// y = θ x
@inline(never) private func scale(_ x: Row, _ theta: Real, into y: Row) {
  for i in 0..<x.count { y[i] = theta * x[i] }
}
