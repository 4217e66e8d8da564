/// The speed of messages between two ranks, which stand for their hosts.
public struct Link: Codable, Equatable, Sendable {
  /// The two ranks, the lower one first.
  public let ranks: [Int]
  /// The host of each; the same name twice for a link within a host.
  public let hosts: [String]
  /// The seconds that a message of one byte takes: half of a round trip.
  public let latency: Double
  /// The bytes per second in one direction, of long messages.
  public let bytesPerSecond: Double

  public init(ranks: [Int], hosts: [String], latency: Double, bytesPerSecond: Double) {
    (self.ranks, self.hosts) = (ranks, hosts)
    (self.latency, self.bytesPerSecond) = (latency, bytesPerSecond)
  }

  public var isWithinHost: Bool { hosts[0] == hosts[1] }

  enum CodingKeys: String, CodingKey {
    case ranks, hosts, latency
    case bytesPerSecond = "bytes_per_second"
  }
}

/// The time of an all-reduce of a gradient in single precision.
public struct SumTime: Codable, Equatable, Sendable {
  /// The numbers of the gradient.
  public let parameters: Int
  /// The numbers that were summed; fewer than those of the gradient on a slow line, and the time is then
  /// multiplied.
  public let measured: Int
  public let seconds: Double

  public init(parameters: Int, measured: Int, seconds: Double) {
    (self.parameters, self.measured, self.seconds) = (parameters, measured, seconds)
  }
}
