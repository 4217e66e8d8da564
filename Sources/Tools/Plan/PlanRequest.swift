internal import Collectives
public import Configuration
internal import Datasets
internal import Foundation
internal import Runs

/// The request of `unroll plan`: a configuration on a cluster.
public struct PlanRequest: Sendable {
  /// The options of one rank: `options.training.batchSize` counts its streams.
  let options: RunOptions
  public let vocabulary: Int
  /// The streams of each rank.
  public let streams: Int
  public let cluster: ClusterDescription

  /// - Parameters:
  ///   - configuration: The options of the run that is planned.
  ///   - cluster: The description of the machines and links.
  ///   - vocabulary: The number of symbols; nil for that of the configuration.
  ///   - streams: The streams of each rank; nil for its share of the configuration's `batch_size`.
  /// - Throws: `UsageError` if the configuration does not tell the number of symbols, or has fewer streams
  ///   than the cluster has ranks.
  public init(
    _ configuration: RunOptions, on cluster: ClusterDescription, vocabulary: Int? = nil,
    streams: Int? = nil
  ) throws(UsageError) {
    let (batch, ranks) = (configuration.training.batchSize, cluster.ranks)
    guard streams != nil || batch >= ranks else {
      throw UsageError(
        "training.batch_size is \(batch), and the cluster has \(ranks) ranks: raise it, or give the "
          + "streams of each rank with --batch-size")
    }
    guard configuration.model.sequence != nil else {
      throw UsageError(
        "unroll plan knows networks over time: give a configuration with model.layers instead of "
          + "model.tree")
    }
    var shape = BenchRequest.Shape()
    shape.vocabulary = vocabulary
    shape.batchSize = streams ?? (batch + ranks - 1) / ranks
    let request = try BenchRequest(.train, shape, configuration: configuration, ranks: 1)
    options = request.options
    self.vocabulary = request.vocabulary
    self.streams = request.options.training.batchSize
    self.cluster = cluster
  }

  /// The same request on another cluster, with as many streams for each rank.
  func on(_ cluster: ClusterDescription) -> PlanRequest { PlanRequest(self, cluster) }

  private init(_ other: PlanRequest, _ cluster: ClusterDescription) {
    (options, vocabulary, streams) = (other.options, other.vocabulary, other.streams)
    self.cluster = cluster
  }

  /// The work of a step of one rank.
  var work: StepWork {
    StepWork(options, vocabulary: vocabulary, streams: streams, ranks: cluster.ranks)
  }

  /// Returns the options with another exchange; nil if they exclude each other.
  func options(_ mode: ExchangeMode) -> RunOptions? {
    var result = options
    result.communication = mode.options
    let isRefused = [CompatibilityRule.Stage.decoding, .start].contains { stage in
      result.violations(at: stage).contains { $0.key.hasPrefix("communication") }
    }
    return isRefused ? nil : result
  }

  /// Returns the bytes of a rank, from `MemoryEstimate`.
  /// - Throws: `DataError` if no folder can be written.
  func memory(_ options: RunOptions) throws -> Double {
    // The number of other nodes does not matter, only that there are some; that of ranks does not for ranks
    // that each have all of the weights.
    let isSpread = cluster.allNodes > 1
    let ofNode = cluster.sharesMemory(options.communication) ? cluster.ranksOfNodes.lowerBound : 1
    let size = ofNode > 1 ? ofNode * (isSpread ? 2 : 1) : min(cluster.ranks, 2)
    var options = options
    options.training.batchSize = streams * size
    let text = GeneratedText(
      count: streams * size * (options.training.bptt + 1), vocabulary: vocabulary, seed: 1)
    let dataset = try text.dataset(in: FileManager.default.temporaryDirectory.path)
    let world = PlannedWorld(size: size, nodeSize: isSpread ? ofNode : size)
    return MemoryEstimate(options, dataset, world).ofRank
  }
}
