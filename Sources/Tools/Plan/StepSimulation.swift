internal import Foundation
internal import LinearAlgebra

/// A discrete-event simulation of training steps on a cluster.
///
/// Its resources are the core of each rank, the link of each node out and in, and the line of each site.
/// Events are the end of a computation and the end of a phase of a sum. Ranks of one node have the same work
/// and the same speed, so one of them stands for all; nodes are simulated one by one. Each link serves
/// messages in the order in which they begin. A rank sends the same to every other one, so the links into
/// the nodes of a site are one resource with the speed of all of them. A message ends when every
/// resource on its way has served it, and a phase of a sum when the last message has arrived.
///
/// The copies of messages and the additions of a sum take the core from the computation of their rank.
struct StepSimulation {
  /// The results of some steps.
  struct Result: Equatable {
    /// The mean seconds of a step, from the end of a first round to the end of the last one.
    var step = 0.0
    /// The bytes that a rank of the first node sends per step to other ranks.
    var bytes = 0.0
    /// The share of the time from the first message to the last in which the rank computed.
    var hidden = 0.0
    /// The number of events.
    var events = 0
  }

  /// A node, with one rank that stands for all of its ranks.
  private struct Node {
    let site: Int
    let ranks: Int
    let actions: [RankAction]
    var place = 0
    /// The number of collective operations that it has begun.
    var operations = 0
    var rounds = 0
    var steps = 0
    /// The end of its computation, if it computes; an event with another number is out of date.
    var computingUntil: Double?
    var computation = 0
    /// The time until which its core is busy with messages.
    var messagesUntil = 0.0
    /// Sums under way.
    var open = 0
    var waits = false
    var firstMessage: Double?
    /// The time at which it began to wait, if it has computed since the first message; else nil.
    var wait: Double?
    var hasComputed = false
  }

  /// A collective operation.
  private struct Operation {
    var sum: PlannedSum
    /// The time at which the last message reaches each site, for each phase.
    var arrival: [[Double]]
    /// The end of the work of each node's core for its own messages, for each phase.
    var served: [[Double]]
    var begun = [0, 0]
    /// The nodes that a meeting waits for.
    var met: [(node: Int, time: Double)] = []
  }

  private enum Event {
    case computed(node: Int, computation: Int)
    case arrived(node: Int, operation: Int, phase: Int)
    case begins(node: Int, operation: Int, phase: Int)
    case proceeds(node: Int)
  }

  private let network: ClusterNetwork
  private let variation: Double
  private let random: Philox
  private let warmUp: Int
  private let rounds: Int
  private let stepsOfRound: Int
  private var nodes: [Node] = []
  private var operations: [Operation] = []
  private var queue = EventQueue<Event>()
  private var result = Result()
  private var (start, end) = (0.0, 0.0)
  private var (sent, onTheWay, hiddenTime) = (0.0, 0.0, 0.0)

  /// A progress thread wakes every half millisecond while its rank computes: a quarter on average.
  private static let pause = 0.25e-3

  /// - Parameters:
  ///   - programs: The program of a rank of each site.
  ///   - rounds: The rounds that count, after a first one.
  init(
    _ cluster: ClusterDescription, programs: [RankProgram], rounds: Int? = nil, seed: UInt64 = 1
  ) {
    network = ClusterNetwork(cluster)
    variation = cluster.variation
    random = Philox(seed: seed, name: "step times")
    let outers = programs[0].actions.reduce(0) { $0 + ($1 == .endStep ? 1 : 0) }
    stepsOfRound = outers
    // Enough steps for the mean of the slowest rank.
    let counted = rounds ?? (outers > 1 ? 1 : variation > 0 ? 12 : 1)
    (warmUp, self.rounds) = (1, counted)
    for (site, place) in cluster.places.enumerated() {
      for _ in 0..<place.nodes {
        nodes.append(
          Node(site: site, ranks: cluster.ranks(in: place), actions: programs[site].actions))
      }
    }
  }

  /// Runs the simulation.
  static func run(
    _ cluster: ClusterDescription, programs: [RankProgram], rounds: Int? = nil, seed: UInt64 = 1
  ) -> Result {
    var simulation = StepSimulation(cluster, programs: programs, rounds: rounds, seed: seed)
    return simulation.run()
  }

  private mutating func run() -> Result {
    for node in nodes.indices { queue.add(.proceeds(node: node), at: 0) }
    while let (time, event) = queue.next() {
      result.events += 1
      switch event {
      case .computed(let node, let computation):
        guard nodes[node].computation == computation else { continue }
        nodes[node].computingUntil = nil
        proceed(node, at: time)
      case .proceeds(let node): proceed(node, at: time)
      case .begins(let node, let operation, let phase): begin(operation, phase, of: node, at: time)
      case .arrived(let node, let operation, let phase):
        finish(operation, phase, of: node, at: time)
      }
    }
    let steps = Double(rounds * stepsOfRound)
    result.step = (end - start) / steps
    result.bytes = sent / steps
    result.hidden = onTheWay > 0 ? hiddenTime / onTheWay : 0
    return result
  }

  private func isCounted(_ node: Int) -> Bool { nodes[node].rounds >= warmUp }

  /// Goes on with the actions of a node until one takes time.
  private mutating func proceed(_ node: Int, at start: Double) {
    let time = max(start, nodes[node].messagesUntil)
    while true {
      if nodes[node].place == nodes[node].actions.count {
        nodes[node].place = 0
        nodes[node].rounds += 1
        if nodes[node].rounds == warmUp { self.start = max(self.start, time) }
        if nodes[node].rounds == warmUp + rounds {
          end = max(end, time)
          return
        }
      }
      let action = nodes[node].actions[nodes[node].place]
      switch action {
      case .compute(let seconds):
        nodes[node].place += 1
        (nodes[node].hasComputed, nodes[node].wait) = (true, nil)
        compute(node, seconds * slowness(of: node), from: time)
        return
      case .begin(let sums):
        nodes[node].place += 1
        if nodes[node].firstMessage == nil {
          (nodes[node].firstMessage, nodes[node].hasComputed) = (time, false)
        }
        for sum in sums { join(sum, node, at: time) }
        // Numbers are rounded before they are sent.
        if nodes[node].messagesUntil > time {
          queue.add(.proceeds(node: node), at: nodes[node].messagesUntil)
          return
        }
      case .wait:
        noteWait(node, at: time)
        nodes[node].waits = nodes[node].open > 0
        if nodes[node].waits { return }
        record(node, at: time)
        nodes[node].place += 1
      case .meet(let bytes):
        nodes[node].place += 1
        noteWait(node, at: time)
        meet(node, at: time, for: network.secondsOfMeeting(bytes: bytes))
        return
      case .spread(let bytes):
        nodes[node].place += 1
        if node == 0, isCounted(node) { sent += bytes * Double(network.ranks - 1) }
        meet(node, at: time, for: network.secondsOfSpreading(bytes: bytes))
        return
      case .endStep:
        nodes[node].place += 1
        nodes[node].steps += 1
      }
    }
  }

  /// Returns the factor on a computation: that of the slowest rank of the node in this step. Each second step
  /// has the deviations of the one before with the other sign, so that the mean of one rank is exact.
  private func slowness(of node: Int) -> Double {
    guard variation > 0 else { return 1 }
    let step = nodes[node].steps
    let first = ((step + 1) / 2 * nodes.count + node) * 4096
    let sign = step % 2 == 0 ? 1.0 : -1
    var slowest = -Double.infinity
    for rank in 0..<nodes[node].ranks {
      slowest = max(slowest, sign * normal(UInt64(first + rank)))
    }
    return max(1 + variation * slowest, 0.1)
  }

  /// Returns a normal number (Box & Muller 1958).
  private func normal(_ counter: UInt64) -> Double {
    let (a, b) = (random.uniform(2 * counter), random.uniform(2 * counter + 1))
    return (-2 * log(max(a, 1e-300))).squareRoot() * cos(2 * .pi * b)
  }

  private mutating func compute(_ node: Int, _ seconds: Double, from time: Double) {
    let end = max(time, nodes[node].messagesUntil) + seconds
    nodes[node].computingUntil = end
    nodes[node].computation += 1
    queue.add(.computed(node: node, computation: nodes[node].computation), at: end)
  }

  /// Takes the core of a node from its computation for some seconds.
  /// - Returns: The time at which this work is done.
  private mutating func occupy(_ node: Int, _ seconds: Double, from time: Double) -> Double {
    let done = max(nodes[node].messagesUntil, time) + seconds
    nodes[node].messagesUntil = done
    if seconds > 0, let end = nodes[node].computingUntil {
      nodes[node].computingUntil = end + seconds
      nodes[node].computation += 1
      queue.add(.computed(node: node, computation: nodes[node].computation), at: end + seconds)
    }
    return done
  }

  // MARK: Sums

  private mutating func operation(of node: Int, _ sum: PlannedSum) -> Int {
    let index = nodes[node].operations
    nodes[node].operations += 1
    if index == operations.count {
      let none = [[Double]](repeating: [Double](repeating: 0, count: network.sites), count: 2)
      let free = [[Double]](repeating: [Double](repeating: 0, count: nodes.count), count: 2)
      operations.append(Operation(sum: sum, arrival: none, served: free))
    }
    return index
  }

  private mutating func join(_ sum: PlannedSum, _ node: Int, at time: Double) {
    let index = operation(of: node, sum)
    nodes[node].open += 1
    let ready = occupy(node, network.secondsToNarrow(sum), from: time)
    if node == 0, isCounted(node) { sent += network.bytesSent(sum) }
    begin(index, 0, of: node, at: ready)
  }

  /// Begins a phase: the messages of all ranks of a node to all others.
  private mutating func begin(_ index: Int, _ phase: Int, of node: Int, at time: Double) {
    let (site, ranks) = (nodes[node].site, nodes[node].ranks)
    let sum = operations[index].sum
    for (target, arrival) in network.send(sum, from: node, of: ranks, in: site, at: time) {
      operations[index].arrival[phase][target] = max(
        operations[index].arrival[phase][target], arrival)
    }
    let work = network.secondsOfMessages(sum, of: ranks, in: site)
    operations[index].served[phase][node] = occupy(node, work, from: time)
    operations[index].begun[phase] += 1
    guard operations[index].begun[phase] == nodes.count else { return }
    for other in nodes.indices {
      let arrival = operations[index].arrival[phase][nodes[other].site]
      queue.add(
        .arrived(node: other, operation: index, phase: phase),
        at: max(time, arrival, operations[index].served[phase][other]))
    }
    operations[index].served[phase] = []
  }

  /// Ends a phase of a node: the sum of its part, or the arrival of all parts.
  private mutating func finish(_ index: Int, _ phase: Int, of node: Int, at time: Double) {
    let sum = operations[index].sum
    let seen = time + (nodes[node].computingUntil == nil ? 0 : Self.pause)
    if phase == 0 {
      let done = occupy(node, network.secondsToAdd(sum), from: seen)
      queue.add(.begins(node: node, operation: index, phase: 1), at: done)
      return
    }
    let done = occupy(node, network.secondsToWiden(sum), from: seen)
    nodes[node].open -= 1
    if nodes[node].waits, nodes[node].open == 0 {
      queue.add(.proceeds(node: node), at: done)
    }
  }

  private mutating func noteWait(_ node: Int, at time: Double) {
    guard nodes[node].firstMessage != nil, nodes[node].hasComputed else { return }
    if nodes[node].wait == nil { nodes[node].wait = time }
  }

  private mutating func record(_ node: Int, at time: Double) {
    guard let first = nodes[node].firstMessage else { return }
    let wait = nodes[node].wait ?? first
    (nodes[node].firstMessage, nodes[node].wait) = (nil, nil)
    guard node == 0, isCounted(node) else { return }
    onTheWay += time - first
    hiddenTime += wait - first
  }

  /// Lets all nodes go on when the last has come and the exchange is over.
  private mutating func meet(_ node: Int, at time: Double, for seconds: Double) {
    let index = operation(of: node, PlannedSum(numbers: 0))
    operations[index].met.append((node, time))
    guard operations[index].met.count == nodes.count else { return }
    let met = operations[index].met
    let last = (met.map(\.time).max() ?? time) + seconds
    for other in met { queue.add(.proceeds(node: other.node), at: last) }
    operations[index].met = []
  }
}
