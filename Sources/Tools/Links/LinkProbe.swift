public import Collectives
internal import Foundation
internal import LinearAlgebra

/// Measures the links between the ranks of a world: latency and bandwidth within each host and between each
/// two hosts, and the time of an all-reduce.
///
/// Every call is collective and returns the same on every rank. Pairs that have no rank in common are measured
/// at the same time, so hosts that share a line or a switch share it here, too, as they do in training.
public struct LinkProbe: Sendable {
  /// The seconds that a measurement of all links takes, about.
  public let seconds: Double

  /// The shortest time in which a pair is measured; with more hosts than fit, a sample of pairs is.
  private static let shortest = 0.02
  private static let mostNumbers = 1 << 26
  private static let bytes = (first: 1 << 14, last: 1 << 26)

  public init(seconds: Double = 1) {
    precondition(seconds > 0, "\(seconds) seconds")
    self.seconds = seconds
  }

  /// Measures the links: one within each host of several ranks, and one between each two hosts, which their
  /// first ranks make. Returns no link in a world of one rank. Collective.
  public func links(in world: any Communicator) throws(CommunicationError) -> [Link] {
    guard world.size > 1 else { return [] }
    let hosts = try world.allGather(Array(world.hostName.utf8)).map {
      String(decoding: $0, as: UTF8.self)
    }
    let rounds = LinkSchedule(hosts: hosts, limit: max(1, Int(seconds / Self.shortest))).rounds
    let budget = seconds / Double(rounds.count)
    let count = rounds.reduce(0) { $0 + $1.count }
    // Every rank knows every pair; each number is known to one rank and 0 on the others.
    var latencies = [Double](repeating: 0, count: count)
    var rates = latencies
    var index = 0
    for round in rounds {
      for pair in round {
        if world.rank == pair.first {
          latencies[index] = try latency(to: pair.second, within: 0.2 * budget, in: world)
          rates[index] = try rate(
            to: pair.second, within: 0.8 * budget, latency: latencies[index], in: world)
        } else if world.rank == pair.second {
          try echo(to: pair.first, in: world)
          try absorb(from: pair.first, in: world)
        }
        index += 1
      }
      try world.sleepingBarrier()
    }
    try world.sum(&latencies)
    try world.sum(&rates)
    return rounds.joined().enumerated().map { index, pair in
      Link(
        ranks: [pair.first, pair.second], hosts: [hosts[pair.first], hosts[pair.second]],
        latency: latencies[index], bytesPerSecond: rates[index])
    }
  }

  /// Measures an all-reduce of a gradient over all ranks, as `overlap: false` does it. Collective.
  public func sum(
    of parameters: Int, in world: any Communicator
  ) throws(CommunicationError) -> SumTime {
    let few = min(parameters, 1 << 18)
    let short = try secondsOfSum(few, times: 2, in: world)
    // As many as are summed in the given time, but not fewer than that, and not all of a huge gradient.
    let most = max(few, min(Self.mostNumbers, Int(Double(few) * seconds / 3 / max(short, 1e-9))))
    let measured = min(parameters, most)
    let whole = measured == few ? short : try secondsOfSum(measured, times: 2, in: world)
    return SumTime(
      parameters: parameters, measured: measured,
      seconds: whole * Double(parameters) / Double(max(measured, 1)))
  }

  /// Returns the shortest time of some sums, each that of its slowest rank.
  private func secondsOfSum(
    _ count: Int, times: Int, in world: any Communicator
  ) throws(CommunicationError) -> Double {
    let gradient = Buffer<Float>(count: count)
    let numbers = gradient.elements()
    // Touched before, so that no sum waits for memory.
    for index in 0..<count { numbers[index] = Float(index % 7) }
    var shortest = Double.infinity
    let clock = ContinuousClock()
    for _ in 0..<times {
      try world.barrier()
      let start = clock.now
      try world.sum(numbers)
      var time = [(clock.now - start) / .seconds(1)]
      try world.max(&time)
      shortest = min(shortest, time[0])
    }
    return shortest
  }

  /// Returns half of the median of round trips.
  private func latency(
    to other: Int, within budget: Double, in world: any Communicator
  ) throws(CommunicationError) -> Double {
    let clock = ContinuousClock()
    let begin = clock.now
    var times: [Double] = []
    // The first ones open the connection.
    for trip in 0..<1_010 {
      let start = clock.now
      try world.send([1], to: other)
      _ = try world.receive(1, from: other)
      if trip >= 10 { times.append((clock.now - start) / .seconds(1)) }
      if !times.isEmpty, (clock.now - begin) / .seconds(1) > budget { break }
    }
    try world.send([0], to: other)
    return times.sorted()[times.count / 2] / 2
  }

  /// Sends bytes back until a zero arrives.
  private func echo(to other: Int, in world: any Communicator) throws(CommunicationError) {
    while true {
      let byte = try world.receive(1, from: other)
      if byte[0] == 0 { return }
      try world.send(byte, to: other)
    }
  }

  /// Sends ever longer messages and returns the bytes per second of the longest, the faster of two. A limited
  /// line lets a first burst pass at once; the shorter messages have used it up.
  private func rate(
    to other: Int, within budget: Double, latency: Double, in world: any Communicator
  ) throws(CommunicationError) -> Double {
    var count = Self.bytes.first
    var seconds = try transfer(count, to: other, in: world)
    while seconds < budget / 6, count < Self.bytes.last {
      count *= 2
      seconds = try transfer(count, to: other, in: world)
    }
    seconds = min(seconds, try transfer(count, to: other, in: world))
    try send(0, to: other, in: world)
    // One latency until the first byte arrives, one for the answer.
    return Double(count) / max(seconds - 2 * latency, seconds / 2, 1e-9)
  }

  /// Returns the seconds from the start of a message until its receiver answers.
  private func transfer(
    _ count: Int, to other: Int, in world: any Communicator
  ) throws(CommunicationError) -> Double {
    let clock = ContinuousClock()
    let message = [UInt8](repeating: 1, count: count)
    try send(count, to: other, in: world)
    // The other rank has made room.
    _ = try world.receive(1, from: other)
    let start = clock.now
    try world.send(message, to: other)
    _ = try world.receive(1, from: other)
    return (clock.now - start) / .seconds(1)
  }

  /// Receives messages, each after its length and each answered by a byte, until a length is zero.
  private func absorb(from other: Int, in world: any Communicator) throws(CommunicationError) {
    while true {
      let length = try world.receive(MemoryLayout<Int64>.size, from: other)
      let count = length.withUnsafeBytes { Int($0.loadUnaligned(as: Int64.self)) }
      if count == 0 { return }
      var message = [UInt8](repeating: 0, count: count)
      try world.send([1], to: other)
      try message.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
        try world.receive(UnsafeMutableRawBufferPointer(memory), from: other)
      }
      try world.send([1], to: other)
    }
  }

  private func send(
    _ count: Int, to other: Int, in world: any Communicator
  ) throws(CommunicationError) {
    try world.send(withUnsafeBytes(of: Int64(count)) { Array($0) }, to: other)
  }
}
