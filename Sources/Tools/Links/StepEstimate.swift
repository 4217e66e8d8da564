/// A training step whose exchange of gradients is judged.
public struct StepLoad: Equatable, Sendable {
  /// The numbers of the gradient, without the embedding, of which only a few rows are sent.
  public var parameters: Int
  /// The targets of a step on one rank: streams × time steps.
  public var tokens: Int

  /// The default is an LSTM 2 × 650 over 10,000 symbols with 20 streams of 35 steps.
  public init(parameters: Int = 13_700_000, tokens: Int = 700) {
    (self.parameters, self.tokens) = (parameters, tokens)
  }
}

/// An estimate of the time of a step in each way of exchanging gradients, from the times of computing and of
/// a plain sum.
///
/// The shares come from the measurements in docs/scaling.md, of two hosts on lines of 1 Gbit/s and 100 Mbit/s;
/// they are rough. `unroll bench --scaling` measures.
public struct StepEstimate: Equatable, Sendable {
  /// A way of exchanging gradients; the first ones change training least.
  public enum Mode: CaseIterable, Sendable {
    case plain, bfloat16, powerSGD, outer

    /// The section of the configuration.
    public var setting: String {
      switch self {
      case .plain: "the default"
      case .bfloat16: "communication: {wire: bfloat16}"
      case .powerSGD: "communication: {compression: {powersgd: {rank: 4}}}"
      case .outer: "communication: {wire: bfloat16, outer: {every: 50}}"
      }
    }

    var name: String {
      switch self {
      case .plain: "default"
      case .bfloat16: "bfloat16"
      case .powerSGD: "powersgd"
      case .outer: "outer"
      }
    }
  }

  /// The seconds that a rank computes in a step.
  public let compute: Double
  /// The seconds of a sum of the gradient in single precision, during which nothing is computed.
  public let sum: Double
  public let hosts: Int
  public let ranks: Int

  /// The share of the speed of the best product that a step reaches.
  private static let reached = 0.75
  /// The part of the computing behind which messages can go, and the part of a sum that is never hidden.
  private static let (hiding, exposed) = (0.7, 0.35)
  /// The efficiency at which a way that changes less is preferred to a faster one.
  private static let enough = 0.8

  public init(compute: Double, sum: Double, hosts: Int, ranks: Int) {
    (self.compute, self.sum, self.hosts, self.ranks) = (compute, sum, hosts, ranks)
  }

  /// Estimates the time of computing as 6 operations for each number of the gradient and each target.
  /// - Parameters:
  ///   - load: The sizes of the step: the numbers of the gradient, and the targets of a rank.
  ///   - gflops: The speed of the best product on the slowest rank, in 10⁹ operations per second.
  ///   - sum: The seconds of a sum of the gradient in single precision, during which nothing is
  ///     computed.
  ///   - hosts: The number of hosts.
  ///   - ranks: The number of ranks over all hosts.
  public init(_ load: StepLoad, gflops: Double, sum: Double, hosts: Int, ranks: Int) {
    let operations = 6 * Double(load.parameters) * Double(load.tokens)
    self.init(
      compute: operations / (gflops * 1e9 * Self.reached), sum: sum, hosts: hosts, ranks: ranks)
  }

  /// Returns the seconds of a step.
  public func seconds(_ mode: Mode) -> Double {
    switch mode {
    // On one host, sums wait for the end of the backward pass.
    case .plain: compute + (hosts == 1 ? sum : unhidden(sum))
    case .bfloat16: compute + unhidden(sum / 2)
    // Two products more for each matrix, and its factors on the line.
    case .powerSGD: 1.1 * compute + 0.04 * sum
    // Once in 50 steps, the weights and their momentum in half of the bytes.
    case .outer: 1.05 * compute + 1.44 * sum / 2 / 50
    }
  }

  /// Returns the part of a sum that computing does not hide.
  private func unhidden(_ sum: Double) -> Double {
    max(sum - Self.hiding * compute, Self.exposed * sum)
  }

  /// Returns the part of a step in which the rank computes what it would compute alone.
  public func efficiency(_ mode: Mode) -> Double { compute / seconds(mode) }

  /// The first way that is efficient enough, or else the fastest.
  public var best: Mode {
    Mode.allCases.first { efficiency($0) >= Self.enough }
      ?? Mode.allCases.max { efficiency($0) < efficiency($1) } ?? .plain
  }

  /// The speed of all ranks over that of one.
  public func speedup(_ mode: Mode) -> Double { Double(ranks) * efficiency(mode) }
}
