internal import Collectives
internal import Formats
internal import Foundation
internal import Inference
internal import LinearAlgebra
package import Recurrence
internal import Training

/// The results of `unroll bench`.
public struct BenchReport: Encodable, Sendable {
  /// The times of steps, in milliseconds; with several ranks, those of the slowest rank.
  public struct Times: Encodable, Sendable {
    public let median, lowerQuartile, upperQuartile, shortest, longest: Double

    /// - Parameter seconds: The time of each step.
    init(_ seconds: [Double]) {
      let sorted = seconds.sorted().map { 1000 * $0 }
      /// Interpolates between neighbours.
      func quantile(_ share: Double) -> Double {
        let place = share * Double(sorted.count - 1)
        let (low, high) = (Int(place), min(Int(place) + 1, sorted.count - 1))
        return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
      }
      (median, lowerQuartile, upperQuartile) = (quantile(0.5), quantile(0.25), quantile(0.75))
      (shortest, longest) = (sorted.first ?? 0, sorted.last ?? 0)
    }

    init(milliseconds: [Double]) {
      (median, lowerQuartile, upperQuartile) = (milliseconds[0], milliseconds[1], milliseconds[2])
      (shortest, longest) = (milliseconds[3], milliseconds[4])
    }

    enum CodingKeys: String, CodingKey {
      case median, shortest, longest
      case lowerQuartile = "lower_quartile"
      case upperQuartile = "upper_quartile"
    }

    var all: [Double] { [median, lowerQuartile, upperQuartile, shortest, longest] }
  }

  public let task: BenchRequest.Task
  /// A description of the model.
  public let model: String
  public let parameters: Int
  public let vocabulary: Int
  /// The number of streams of one rank; of the first rank if the batch does not divide evenly.
  public let batchSize: Int
  public let bptt: Int
  public let precision: String
  public let ranks: Int
  public let steps: Int
  /// Targets per second over all ranks, at the median and at the quartiles of the step time.
  public let tokensPerSecond, tokensPerSecondLow, tokensPerSecondHigh: Double
  public let stepMilliseconds: Times
  /// The mean time of a step on the slowest rank, in milliseconds.
  public let meanMilliseconds: Double
  /// The bytes that the first rank sends per step, and the share of their time on the way in which it
  /// computes.
  public let bytesPerStep, hiddenShare: Double
  /// Multiplications and additions of the plain network per target.
  public let operationsPerToken: Double
  /// 10⁹ such operations per second, over all ranks.
  public let gflops: Double
  /// The speed of the fastest product over all ranks, and the fraction of it that was reached.
  public let peakGflops, fractionOfPeak: Double
  /// The products that were measured on the first rank.
  let products: [Machine.Product]
  /// Milliseconds per step of each phase, on the first rank.
  public let phases: [String: Double]
  /// The peak memory of a rank above its memory at the start, and the memory at the start, in
  /// bytes.
  public let peakMemory, startMemory: Int
  /// The time from the start of the process until the model could take its first step.
  public let setupSeconds: Double
  /// The loss per target of the first and of the last step, in nats; 0 if nothing is scored.
  public let firstLoss, lastLoss: Double
  /// The highest memory bandwidth of a rank, in 10⁹ bytes per second.
  public let readGigabytesPerSecond: Double
  /// The bytes of weights read per symbol of one stream, and 10⁹ such bytes per second on one rank;
  /// they limit the speed of sampling.
  public let weightBytes: Int
  public let weightGigabytesPerSecond: Double
  let kernels: String

  enum CodingKeys: String, CodingKey {
    case task, model, parameters, vocabulary, bptt, precision, ranks, steps, gflops, products,
      phases
    case kernels
    case batchSize = "batch_size"
    case tokensPerSecond = "tokens_per_second"
    case tokensPerSecondLow = "tokens_per_second_low"
    case tokensPerSecondHigh = "tokens_per_second_high"
    case stepMilliseconds = "step_milliseconds"
    case meanMilliseconds = "mean_step_milliseconds"
    case bytesPerStep = "bytes_per_step"
    case hiddenShare = "hidden_share"
    case operationsPerToken = "operations_per_token"
    case peakGflops = "peak_gflops"
    case fractionOfPeak = "fraction_of_peak"
    case peakMemory = "peak_memory_bytes"
    case startMemory = "start_memory_bytes"
    case setupSeconds = "setup_seconds"
    case firstLoss = "first_loss"
    case lastLoss = "last_loss"
    case readGigabytesPerSecond = "read_gigabytes_per_second"
    case weightBytes = "weight_bytes"
    case weightGigabytesPerSecond = "weight_gigabytes_per_second"
  }

  /// Combines the measurements of all ranks. Collective.
  init(
    _ request: BenchRequest, layout: ParameterLayout, world: any Communicator, times: [Double],
    phases: [Double], losses: (first: Score, last: Score), traffic: Traffic,
    products: [Machine.Product],
    bandwidth: Double, memory: (start: Int, peak: Int), setup: Double
  ) throws {
    let training = request.options.training
    let isDrawing = request.task == .generate
    var slowest =
      Times(times).all + [Double(memory.peak - memory.start), Double(memory.start), setup]
    try world.max(&slowest)
    var sums = [products.map(\.gflops).max() ?? 0]
    try world.sum(&sums)

    task = request.task
    model = request.options.model.words(predicting: .symbols(request.vocabulary))
    parameters = layout.learnt
    vocabulary = request.vocabulary
    batchSize = (training.batchSize + world.size - 1) / world.size
    bptt = training.bptt
    precision = training.precision.rawValue
    ranks = world.size
    steps = times.count
    stepMilliseconds = Times(milliseconds: Array(slowest[..<5]))
    let tokens = 1000 * Double(training.batchSize * training.bptt)
    // Between outer steps a step is short, and the median would not see them.
    var mean = [1000 * times.reduce(0, +) / Double(times.count)]
    try world.max(&mean)
    meanMilliseconds = mean[0]
    bytesPerStep = Double(traffic.bytes) / Double(times.count)
    hiddenShare = traffic.seconds > 0 ? traffic.hidden / traffic.seconds : 0
    tokensPerSecond = tokens / (request.round == nil ? stepMilliseconds.median : mean[0])
    tokensPerSecondLow = tokens / stepMilliseconds.upperQuartile
    tokensPerSecondHigh = tokens / stepMilliseconds.lowerQuartile
    operationsPerToken =
      request.task == .train
      ? 6 * layout.multiplyAdds(\.training) : 2 * layout.multiplyAdds(\.evaluation)
    gflops = tokensPerSecond * operationsPerToken * 1e-9
    peakGflops = sums[0]
    fractionOfPeak = gflops / peakGflops
    self.products = products
    self.phases = Dictionary(
      uniqueKeysWithValues: zip(Phase.allCases, phases).map { ($0.name, 1000 * $1) })
    (peakMemory, startMemory) = (Int(slowest[5]), Int(slowest[6]))
    setupSeconds = slowest[7]
    (firstLoss, lastLoss) = (losses.first.loss, losses.last.loss)
    readGigabytesPerSecond = bandwidth
    weightBytes =
      training.precision == .bfloat16 ? layout.bytesReadPerSymbol / 2 : layout.bytesReadPerSymbol
    weightGigabytesPerSecond =
      isDrawing ? Double(weightBytes) * 1e-6 / stepMilliseconds.median : 0
    kernels = ProductLibrary.kernels
  }

  /// The report as one line of JSON.
  public var json: String {
    get throws { String(decoding: try JSONValue.encoder().encode(self), as: UTF8.self) }
  }
}

extension ParameterLayout {
  /// The multiplications per symbol of one stream, from the equations: those of states with each other,
  /// and every matrix once, except the embedding, of which a row is looked up, constants, which may be
  /// sparse, those of output layers that few rows need, which count by the share of these rows, and
  /// those that multiply every row of a state.
  package func multiplyAdds(_ share: KeyPath<ProductShare, Double>) -> Double {
    entries.reduce(Double(stateMultiplyAdds)) {
      $0 + ($1.isVector ? 0 : Double($1.count) * $1.products[keyPath: share])
    }
  }

  /// The bytes of weights, in single precision, that one symbol of one stream needs; one row of the
  /// embedding.
  package var bytesReadPerSymbol: Int {
    entries.reduce(0) { $0 + ($1.products.evaluation == 0 ? $1.columns : $1.count) }
      * MemoryLayout<Real>.stride
  }
}

extension Phase {
  /// The name in the report.
  var name: String {
    switch self {
    case .input: "input_projection"
    case .recurrent: "recurrent_products"
    case .pointwise: "pointwise"
    case .output: "output_layer"
    case .embedding: "embedding"
    case .optimizer: "optimizer"
    case .reduction: "reduction"
    case .data: "data"
    case .sampling: "sampling"
    case .other: "other"
    }
  }
}
