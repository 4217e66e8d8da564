internal import Formats
internal import Foundation

/// The results of `unroll bench --scaling`; also the content of a baseline.
public struct ScalingReport: Codable, Equatable, Sendable {
  /// The figures of one number of ranks.
  public struct Row: Codable, Equatable, Sendable {
    public var ranks: Int
    /// The number of hosts that these ranks are on.
    public var hosts: Int
    /// Targets per second over all ranks: the median over the rounds, and each round.
    public var tokensPerSecond: Double
    public var rounds: [Double]
    /// The speed over that of one rank in the same round: the median, and each round.
    public var ratio: Double
    public var ratios: [Double]
    /// The ratio over the number of ranks.
    public var efficiency: Double
    /// The shares of a step in which ranks compute, wait for the slowest one, and sum gradients; means over
    /// ranks, medians over rounds.
    public var computeShare, waitShare, sumShare: Double
    /// The slowest rank's time over the mean, less one.
    public var imbalance: Double
    public var slowestRank: Int
    public var slowestHost: String

    enum CodingKeys: String, CodingKey {
      case ranks, hosts, rounds, ratio, ratios, efficiency, imbalance
      case tokensPerSecond = "tokens_per_second"
      case computeShare = "compute_share"
      case waitShare = "wait_share"
      case sumShare = "sum_share"
      case slowestRank = "slowest_rank"
      case slowestHost = "slowest_host"
    }
  }

  public var subject: ScalingSubject
  /// The number of timed steps of each measurement.
  public var steps: Int
  public var rows: [Row]

  /// - Parameter measured: The measurements of each size, by round.
  package init(_ subject: ScalingSubject, _ measured: [[ScalingBenchmark.Measurement]]) {
    self.subject = subject
    steps = measured[0][0].steps
    let single = measured[0].map(\.rate)
    rows = measured.map { rounds in
      let ranks = rounds[0].ranks.count
      let ratios = zip(rounds, single).map { $0.rate / $1 }
      let times = (0..<ranks).map { rank in median(rounds.map { $0.ranks[rank] }) }
      let slowest = times.indices.max { times[$0] < times[$1] } ?? 0
      let mean = times.reduce(0, +) / Double(ranks)
      func share(_ part: (ScalingBenchmark.Measurement) -> Double) -> Double {
        median(rounds.map { part($0) / max($0.compute + $0.wait + $0.sum, 1e-12) })
      }
      return Row(
        ranks: ranks, hosts: Set(subject.places.prefix(ranks)).count,
        tokensPerSecond: median(rounds.map(\.rate)), rounds: rounds.map(\.rate),
        ratio: median(ratios), ratios: ratios, efficiency: median(ratios) / Double(ranks),
        computeShare: share(\.compute), waitShare: share(\.wait), sumShare: share(\.sum),
        imbalance: mean > 0 ? times[slowest] / mean - 1 : 0, slowestRank: slowest,
        slowestHost: subject.hosts[subject.places[slowest]])
    }
  }

  /// The report as one line of JSON.
  public var json: String {
    get throws { String(decoding: try JSONValue.encoder().encode(self), as: UTF8.self) }
  }

  /// The report as text: the model, the window, and a table with a line for each number of ranks.
  public var words: String {
    let rounds = rows[0].rounds.count
    let heading = [
      "model   \(subject.model), \(grouped(subject.vocabulary)) symbols, "
        + "\(grouped(subject.parameters)) parameters",
      "window  \(subject.batchSize) streams × \(subject.bptt) steps on each rank, \(subject.precision); "
        + "\(rounds) \(rounds == 1 ? "round" : "rounds") of \(steps) "
        + (steps == 1 ? "step" : "steps"),
    ]
    let cells = rows.map { row in
      [
        "\(row.ranks)", "\(row.hosts)", grouped(Int(row.tokensPerSecond)), fixed(row.ratio, 2),
        percent(row.efficiency), percent(row.computeShare), percent(row.sumShare),
        percent(row.waitShare), percent(row.imbalance),
        row.ranks == 1 ? "" : "rank \(row.slowestRank) on \(row.slowestHost)",
      ]
    }
    let titles = [
      "ranks", "hosts", "tokens/s", "over one", "efficiency", "compute", "sum", "wait", "imbalance",
      "slowest",
    ]
    return (heading + [table([titles] + cells, rightAligned: Set(0..<9))]).joined(separator: "\n")
  }
}

private func percent(_ share: Double) -> String { fixed(100 * share, 0) + " %" }
