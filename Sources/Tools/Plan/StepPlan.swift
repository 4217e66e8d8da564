package import Configuration
internal import Formats
internal import Foundation
internal import LinearAlgebra
internal import Recurrence

/// The prediction of `unroll plan`: the step time of each way to exchange gradients on a cluster.
public struct StepPlan: Encodable, Sendable {
  /// The prediction for one mode.
  public struct Row: Encodable, Sendable {
    public let mode: String
    /// The section to paste into a configuration.
    public let yaml: String
    /// True if every rank gets the sum in single precision at every step.
    public let isExact: Bool
    public let stepMilliseconds: Double
    public let tokensPerSecond: Double
    /// The speed over that of one rank alone, and its share of the number of ranks.
    public let overOneRank, efficiency: Double
    /// The bytes that a rank sends per step, and the share of their time in which it computes.
    public let bytesPerStep, hiddenShare: Double
    /// The memory of a rank in bytes.
    public let memory: Double
    /// True if the ranks of a node fit into its memory, as far as its size is known.
    public let fits: Bool

    enum CodingKeys: String, CodingKey {
      case mode, yaml, efficiency, fits
      case isExact = "is_exact"
      case stepMilliseconds = "step_milliseconds"
      case tokensPerSecond = "tokens_per_second"
      case overOneRank = "over_one_rank"
      case bytesPerStep = "bytes_per_step"
      case hiddenShare = "hidden_share"
      case memory = "memory_bytes"
    }
  }

  /// The efficiency of a mode on so many ranks.
  public struct Point: Encodable, Sendable {
    public let mode: String
    public let ranks: Int
    public let stepMilliseconds: Double
    public let efficiency: Double

    enum CodingKeys: String, CodingKey {
      case mode, ranks, efficiency
      case stepMilliseconds = "step_milliseconds"
    }
  }

  public let model: String
  public let parameters: Int
  public let vocabulary: Int
  public let cluster: String
  public let ranks: Int
  public let streams: Int
  public let bptt: Int
  public let precision: String
  /// The step time of one rank without any exchange, in milliseconds.
  public let computeMilliseconds: Double
  public let rows: [Row]
  /// The mode to choose: the fastest, or an exact one that is at most a twentieth slower.
  public let choice: String
  /// The efficiency over the world size, if asked for.
  public let scaling: [Point]
  public let node: NodeMemory

  enum CodingKeys: String, CodingKey {
    case model, parameters, vocabulary, cluster, ranks, streams, bptt, precision, rows, choice
    case scaling, node
    case computeMilliseconds = "compute_milliseconds"
  }

  /// A mode that is not exact must be faster by this much.
  private static let worth = 1.05

  /// - Parameters:
  ///   - request: The run and the cluster of the plan.
  ///   - upTo: The largest world size of the table over world sizes; nil for none.
  /// - Throws: `DataError` if no folder can be written.
  public init(_ request: PlanRequest, upTo: Int? = nil) throws {
    let (cluster, training) = (request.cluster, request.options.training)
    let work = request.work
    let modes = try Self.modes(of: request)
    model = request.options.model.words(predicting: .symbols(request.vocabulary))
    (parameters, vocabulary) = (work.layout.learnt, request.vocabulary)
    self.cluster = cluster.words
    (ranks, streams, bptt) = (cluster.ranks, request.streams, training.bptt)
    precision = training.precision.rawValue
    let alone = Self.secondsAlone(work, cluster)
    computeMilliseconds = 1000 * alone.slowest
    var rows: [Row] = []
    for (mode, options) in modes {
      let found = Self.simulate(work, options.communication, cluster)
      let memory = try request.memory(options)
      let most = cluster.ranksOfNodes.upperBound
      let tokens = Double(work.tokens * cluster.ranks)
      rows.append(
        Row(
          mode: mode.name, yaml: mode.yaml, isExact: mode.isExact,
          stepMilliseconds: 1000 * found.step, tokensPerSecond: tokens / found.step,
          overOneRank: Double(cluster.ranks) * alone.mean / found.step,
          efficiency: alone.mean / found.step, bytesPerStep: found.bytes,
          hiddenShare: found.hidden, memory: memory,
          fits: Double(most) * memory <= (cluster.memory.gibibytes ?? .infinity) * 0x1p30))
    }
    self.rows = rows
    choice = Self.choice(among: rows)
    scaling = upTo.map { Self.scaling(request, work, modes.map(\.mode), upTo: $0) } ?? []
    node = NodeMemory(work, cluster, precision: training.precision)
  }

  /// Returns the modes that fit the configuration. One rank exchanges nothing.
  private static func modes(
    of request: PlanRequest
  ) throws -> [(mode: ExchangeMode, options: RunOptions)] {
    let sharesMemory = request.cluster.sharesMemory(CommunicationOptions())
    let all = try ExchangeMode.all().compactMap { mode in
      // With one rank on every node, it is the default.
      mode.options.node == .separate && !sharesMemory
        ? nil : request.options(mode).map { (mode, $0) }
    }
    return request.cluster.ranks == 1 ? Array(all.prefix(1)) : all
  }

  /// Returns the step time of a rank alone: of the slowest place, and the mean over ranks of speeds.
  private static func secondsAlone(
    _ work: StepWork, _ cluster: ClusterDescription
  ) -> (slowest: Double, mean: Double) {
    let times = cluster.places.map { site in
      (
        ranks: Double(site.nodes * cluster.ranks(in: site)),
        seconds: RankProgram(
          work, CommunicationOptions(), RankSpeed(cluster, in: site), on: cluster
        ).computing
      )
    }
    let speed = times.reduce(0.0) { $0 + $1.ranks / $1.seconds } / Double(cluster.ranks)
    return (times.map(\.seconds).max() ?? 0, 1 / speed)
  }

  /// Simulates steps with one exchange.
  package static func simulate(
    _ request: PlanRequest, _ communication: CommunicationOptions
  ) -> (step: Double, bytes: Double, hidden: Double, events: Int) {
    let found = simulate(request.work, communication, request.cluster)
    return (found.step, found.bytes, found.hidden, found.events)
  }

  static func simulate(
    _ work: StepWork, _ communication: CommunicationOptions, _ cluster: ClusterDescription
  ) -> StepSimulation.Result {
    let programs = cluster.places.map { site in
      let shares = cluster.sharesMemory(communication)
      return RankProgram(
        work, communication, RankSpeed(cluster, in: site, sharesWeights: shares), on: cluster)
    }
    return StepSimulation.run(cluster, programs: programs)
  }

  private static func choice(among rows: [Row]) -> String {
    let possible = rows.contains(where: \.fits) ? rows.filter(\.fits) : rows
    guard let fastest = possible.min(by: { $0.stepMilliseconds < $1.stepMilliseconds }) else {
      return ""
    }
    let exact = possible.filter(\.isExact).min { $0.stepMilliseconds < $1.stepMilliseconds }
    if let exact, exact.stepMilliseconds <= worth * fastest.stepMilliseconds {
      // Of equally fast ones the default, which needs no key.
      let first = possible.first {
        $0.isExact && $0.stepMilliseconds <= 1.005 * exact.stepMilliseconds
      }
      return (first ?? exact).mode
    }
    return fastest.mode
  }

  /// Returns the efficiency of each mode at 1, 2, 4, … nodes.
  private static func scaling(
    _ request: PlanRequest, _ work: StepWork, _ modes: [ExchangeMode], upTo: Int
  ) -> [Point] {
    var clusters: [ClusterDescription] = []
    var count = max(request.cluster.sites.count, 1)
    while count <= 65_536 {
      let cluster = request.cluster.scaled(nodes: count)
      if cluster.ranks > upTo { break }
      clusters.append(cluster)
      count *= 2
    }
    let known = (try? ExchangeMode.all()) ?? []
    return modes.flatMap { mode -> [Point] in
      guard known.contains(where: { $0.name == mode.name }) else { return [] }
      return clusters.map { cluster in
        let alone = secondsAlone(work, cluster)
        let found = simulate(work, mode.options, cluster)
        return Point(
          mode: mode.name, ranks: cluster.ranks, stepMilliseconds: 1000 * found.step,
          efficiency: alone.mean / found.step)
      }
    }
  }

  /// The plan as one line of JSON.
  public var json: String {
    get throws { String(decoding: try JSONValue.encoder().encode(self), as: UTF8.self) }
  }

  /// The section of a configuration for the mode to choose.
  public var yaml: String { rows.first { $0.mode == choice }?.yaml ?? "" }
}

extension ClusterDescription {
  /// The cluster in one line.
  var words: String {
    let nodesOf = places.map { site in
      let each = "\(site.nodes) node\(site.nodes == 1 ? "" : "s") × \(ranks(in: site))"
      return sites.isEmpty ? each : "\(site.name) \(each)"
    }
    let isSingle = places.count == 1 && ranks(in: places[0]) == 1
    var parts = [nodesOf.joined(separator: " + ") + (isSingle ? " rank" : " ranks")]
    if let link, allNodes > 1 { parts.append("\(digits(link.gigabits)) Gbit/s a node") }
    if let slowest = sites.map({ min($0.up, $0.down) }).min() {
      parts.append("\(digits(slowest)) Gbit/s between sites")
    }
    if let processor { parts.append(processor) }
    return parts.joined(separator: ", ")
  }
}
