import Configuration
import Datasets
import Formats
import Foundation
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Tools

/// Two layers of different widths, 60 symbols, 3 streams of a rank, 11 steps.
private func configuration(_ more: String = "") throws -> RunOptions {
  try Configuration(
    yaml: """
      data: {train: none.txt, tokenizer: word}
      model: {embedding: 50, layers: [{cell: lstm, hidden: 70}, {cell: gru, hidden: 90}]}
      training: {batch_size: 12, bptt: 11, steps: 1, optimizer: {rule: sgd}}
      \(more)
      """, file: "test"
  ).decode(RunOptions.self)
}

private func cluster(_ yaml: String) throws -> ClusterDescription {
  try Configuration(yaml: yaml, file: "cluster.yaml").decode(ClusterDescription.self)
}

/// Step time of a mode, in seconds.
private func step(
  _ yaml: String, _ communication: String = "{}", vocabulary: Int = 600, streams: Int = 3
) throws -> (step: Double, bytes: Double, hidden: Double, events: Int) {
  let request = try PlanRequest(
    try configuration(), on: try cluster(yaml), vocabulary: vocabulary, streams: streams)
  struct Section: Decodable { var communication: CommunicationOptions }
  let options = try Configuration(yaml: "communication: \(communication)", file: "test")
    .decode(Section.self).communication
  return StepPlan.simulate(request, options)
}

/// The modes by their sections.
private let sections = [
  "{}", "{overlap: false}", "{node: separate}", "{wire: bfloat16}",
  "{compression: {powersgd: {rank: 4}}}",
  "{compression: {top_k: {share: 0.01}}}", "{compression: one_bit}", "{outer: {every: 5}}",
  "{wire: bfloat16, outer: {every: 5, overlap: 2}}",
]

@Suite struct `Planned steps` {
  /// Nothing but computing takes time: lines, memory and cores are as good as infinite.
  private static func free(_ nodes: Int, _ ranks: Int = 1) -> String {
    """
    nodes: \(nodes)
    ranks_per_node: \(ranks)
    gflops: {output: 3, input: 5, recurrent: 2}
    elementwise: 1.0e+9
    memory: {rank: 1.0e+12}
    shared_memory: {gigabytes: 1.0e+12, microseconds: 1.0e-9}
    link: {gigabits: 1.0e+12, microseconds: 1.0e-9, startup: 1.0e-9, core: 1.0e+12, message: 1.0e-9}
    """
  }

  /// The operations of a step by hand: forward, and twice as many backward, 33 targets.
  private static func computing() -> Double {
    let distinct = distinctSymbols(of: 600, in: 33)
    let output = 600.0 * 90
    let recurrent = 4.0 * 70 * 70 + 3.0 * 90 * 90
    let (lowest, upper) = (4.0 * 70 * 50, 3.0 * 90 * 70)
    return 6e-9 * (33 * output / 3 + 33 * recurrent / 2 + (distinct * lowest + 33 * upper) / 5)
  }

  /// The expected number of distinct symbols, one after another.
  private static func distinctSymbols(of vocabulary: Int, in count: Int) -> Double {
    let total = (1...vocabulary).reduce(0.0) { $0 + 1 / Double($1) }
    return (1...vocabulary).reduce(0.0) {
      $0 + 1 - pow(1 - 1 / (Double($1) * total), Double(count))
    }
  }

  @Test(arguments: sections)
  func `with infinitely fast lines a step is its computation`(_ section: String) throws {
    for (nodes, ranks) in [(1, 1), (1, 2), (3, 1), (2, 4)] {
      let found = try step(Self.free(nodes, ranks), section)
      // A rank that computes sees its messages a quarter of a millisecond late, at most once a phase.
      #expect(found.step >= Self.computing() * (1 - 1e-6))
      #expect(abs(found.step / Self.computing() - 1) < 0.12, "\(section) on \(nodes) × \(ranks)")
    }
    #expect(abs(try step(Self.free(1), section).step / Self.computing() - 1) < 1e-6)
  }

  @Test func `a state that is a matrix takes products of its own`() throws {
    let options = try Configuration(
      yaml: """
        data: {train: none.txt, tokenizer: word}
        model: {embedding: 50, layers: [{cell: matrix-lstm, hidden: 64, heads: 4, key_width: 32}]}
        training: {batch_size: 12, bptt: 11, steps: 1, optimizer: {rule: sgd}}
        """, file: "test"
    ).decode(RunOptions.self)
    let request = try PlanRequest(
      options, on: try cluster(Self.free(1)), vocabulary: 600, streams: 3)
    let found = StepPlan.simulate(request, options.communication).step
    // q, k, v, o and two gates of each head; k vᵀ and Cᵀ q of heads with 8 keys.
    let input = Double(2 * 32 + 2 * 64 + 2 * 4) * 50
    let expected = 6e-9 * 33 * (600.0 * 64 / 3 + input / 5 + 2 * 8 * 64 / 2)
    #expect(abs(found / expected - 1) < 1e-6, "\(found) and \(expected)")
  }

  /// Computing takes no time; a line of 1 Gbit/s.
  fileprivate static func line(_ nodes: Int, _ ranks: Int, gigabits: Double = 1) -> String {
    """
    nodes: \(nodes)
    ranks_per_node: \(ranks)
    gflops: 1.0e+12
    elementwise: 1.0e+12
    memory: {rank: 1.0e+12}
    shared_memory: {gigabytes: 1.0e+12, microseconds: 1.0e-9}
    link: {gigabits: \(gigabits), microseconds: 1.0e-9, startup: 1.0e-9, core: 1.0e+12, message: 1.0e-9}
    """
  }

  @Test(arguments: [(2, 1, 2.0), (4, 1, 2.0), (2, 3, 2.0), (3, 2, 4.0)])
  func `without computation a step is its bytes over the speed of the line`(
    _ nodes: Int, _ ranks: Int, _ gigabits: Double
  ) throws {
    for section in ["{overlap: false}", "{}", "{overlap: false, wire: bfloat16}"] {
      let found = try step(Self.line(nodes, ranks, gigabits: gigabits), section)
      // Owners of slices send to other nodes alone.
      let seconds = found.bytes * Double(ranks) / (gigabits * 1e9 / 8)
      #expect(abs(found.step / seconds - 1) < 0.02, "\(section): \(found.step) and \(seconds)")
    }
    for section in ["{overlap: false, node: separate}", "{node: separate}"] {
      let found = try step(Self.line(nodes, ranks, gigabits: gigabits), section)
      let world = nodes * ranks
      // The bytes of all ranks of a node that leave it, of those that each sends to all others.
      let leaving = Double(world - ranks) / Double(world - 1)
      let seconds = found.bytes * leaving * Double(ranks) / (gigabits * 1e9 / 8)
      #expect(abs(found.step / seconds - 1) < 0.02, "\(section): \(found.step) and \(seconds)")
    }
  }

  @Test func `of a node that shares memory one gradient leaves, whatever its ranks`() throws {
    let yaml = Self.line(3, 4)
    let (shared, separate) = (try step(yaml), try step(yaml, "{node: separate}"))
    // A slice of a quarter goes to 2 of 3 nodes twice; a whole gradient to 11 of 12 ranks.
    #expect(abs(shared.bytes / separate.bytes - (2.0 / 3 / 4) / (11.0 / 12)) < 1e-5)
    #expect(shared.step < 0.3 * separate.step)
  }

  @Test func `a sum in shared memory reads the gradients of all ranks once`() throws {
    func found(_ memory: Double, _ more: String) throws -> (
      step: Double, bytes: Double, hidden: Double, events: Int
    ) {
      try step(
        """
        {ranks_per_node: 4, gflops: 1.0e+12, elementwise: 1.0e+12, memory: {rank: \(memory)},
         shared_memory: {gigabytes: 1.0e+9, microseconds: 1.0e-9}, cache: {core: 100, node: 900}}
        """, more)
    }
    let (slow, fast) = (try found(10, "{}"), try found(1e9, "{}"))
    let bytes = try step(Self.line(4, 1), "{}").bytes
    // The gradient of 4 ranks, each padded: a message each way carries 3/4 of it.
    let gradient = bytes / (2 * 0.75)
    // Each rank reads a quarter of 4 gradients and writes one quarter. It clears its own gradient, and reads
    // and writes its quarter for the norm and plain SGD.
    let rows = 4 * Double(Int(Self.distinctSymbols(of: 600, in: 33 * 4) * 50))
    let own = 4 * Self.distinctSymbols(of: 600, in: 33) * 50
    let changing = gradient - rows + own
    let expected = (gradient * 5 / 4 + changing * (1 + 4.0 / 4)) / 10e9
    #expect(slow.bytes == 0)
    #expect(abs((slow.step - fast.step) / expected - 1) < 0.01)
  }

  @Test func `only the last micro-batch hides messages`() throws {
    // 3 streams one after another: the same operations, but fewer symbols are distinct in the lowest layer.
    let cluster = try cluster("{nodes: 2, gflops: 0.5, memory: {rank: 50}, link: {gigabits: 5}}")
    func found(_ accumulate: Int) throws -> (
      step: Double, bytes: Double, hidden: Double, events: Int
    ) {
      var options = try configuration()
      options.training.accumulate = accumulate
      let request = try PlanRequest(options, on: cluster, vocabulary: 600, streams: 3)
      return StepPlan.simulate(request, CommunicationOptions())
    }
    let (one, three) = (try found(1), try found(3))
    #expect(one.bytes == three.bytes)
    #expect(three.step > one.step && three.step < 1.3 * one.step)
    #expect(three.hidden > 0 && three.hidden < one.hidden)
  }

  @Test func `a rank sends twice the bytes of the gradient, without its own part`() throws {
    // The dense parameters by hand, each padded to 16 numbers, and the rows that some rank has read.
    func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }
    let lstm = padded(280 * 50) + padded(280 * 70) + 2 * padded(280)
    let gru = padded(270 * 70) + padded(270 * 90) + 2 * padded(270)
    let dense = lstm + gru + padded(600 * 90) + padded(600)
    let rows = Int(Self.distinctSymbols(of: 600, in: 33 * 4) * 50)
    let found = try step(Self.line(4, 1), "{}")
    #expect(abs(found.bytes / (2 * 4 * 0.75 * Double(dense + rows)) - 1) < 1e-9)
    let half = try step(Self.line(4, 1), "{wire: bfloat16}")
    #expect(abs(half.bytes / found.bytes - 0.5) < 1e-9)
    // All parameters, once in five steps; embeddings whole.
    let outer = try step(Self.line(4, 1), "{outer: {every: 5}}")
    let all = dense + padded(600 * 50)
    #expect(abs(outer.bytes / (2 * 4 * 0.75 * Double(all) / 5) - 1) < 1e-9)
  }

  @Test func `two ranks of one host exchange through its memory alone`() throws {
    let yaml = """
      ranks_per_node: 2
      gflops: 1.0e+12
      elementwise: 1.0e+12
      memory: {rank: 1.0e+12}
      shared_memory: {gigabytes: 2, microseconds: 0.0001}
      """
    let found = try step(yaml, "{node: separate}")
    // With copies of its own, each rank copies what it receives: half of the gradient, twice.
    #expect(abs(found.step / (found.bytes / 2e9) - 1) < 0.02)
    #expect(found.hidden == 0)
  }

  @Test func `what is hidden is saved, and no more than the line takes`() throws {
    let yaml = """
      nodes: 2
      gflops: 20
      memory: {rank: 20}
      link: {gigabits: 1}
      """
    let (on, off) = (try step(yaml, "{overlap: true}"), try step(yaml, "{overlap: false}"))
    #expect(on.step < off.step)
    #expect(on.hidden > 0.05 && on.hidden < 1)
    #expect(off.hidden == 0)
    #expect(on.bytes == off.bytes)
    #expect(on.step > off.bytes / 125e6)
  }

  @Test(arguments: sections)
  func `a faster line never makes a step slower`(_ section: String) throws {
    let times = try [0.05, 0.1, 0.5, 1, 5, 25].map { gigabits in
      try step(
        """
        nodes: 3
        ranks_per_node: 2
        gflops: 30
        memory: {rank: 10, node: 15}
        link: {gigabits: \(gigabits)}
        """, section
      ).step
    }
    // A message that comes earlier may come while the rank computes, and is then seen half a pause later, in
    // each phase of the last sums.
    for (slow, fast) in zip(times, times.dropFirst()) { #expect(fast <= slow + 0.6e-3) }
    #expect(times[0] > 1.05 * times[5])
  }

  @Test func `copies of messages take the core from the computation`() throws {
    func found(_ core: Double) throws -> Double {
      try step(
        """
        nodes: 2
        gflops: 2
        memory: {rank: 100}
        link: {gigabits: 100, core: \(core), message: 0.001, microseconds: 0.001}
        """
      ).step
    }
    let (slow, fast) = (try found(0.5), try found(500))
    let bytes = try step("{nodes: 2, gflops: 2, memory: {rank: 100}, link: {gigabits: 1}}").bytes
    // Sent and received bytes pass through the core.
    #expect(abs((slow - fast) / (2 * bytes / 0.5e9) - 1) < 0.1)
  }

  @Test(arguments: [(1024, 1), (16, 64)])
  func `1,024 ranks end within seconds`(_ nodes: Int, _ ranks: Int) throws {
    let yaml = """
      nodes: \(nodes)
      ranks_per_node: \(ranks)
      gflops: 40
      variation: 0.02
      memory: {rank: 10, node: 200}
      link: {gigabits: 25}
      """
    for section in ["{}", "{overlap: false}", "{outer: {every: 50}}"] {
      let found = try step(yaml, section, vocabulary: 10_000)
      #expect(found.step > 0 && found.step.isFinite)
      #expect(found.events > nodes)
      #expect(found.events < 2_000_000)
    }
  }

  @Test func `a slow line between sites holds up every step, and outer steps less`() throws {
    func yaml(_ megabits: Double) -> String {
      """
      ranks_per_node: 2
      gflops: 40
      memory: {rank: 10}
      link: {gigabits: 10}
      sites:
        - {name: a, nodes: 3, up: \(megabits / 1000), down: \(megabits / 1000), milliseconds: 10}
        - {name: b, nodes: 1, up: \(megabits / 1000), down: \(megabits / 1000), milliseconds: 5}
      """
    }
    let (home, fast) = (try step(yaml(10)), try step(yaml(10_000)))
    #expect(home.step > 3 * fast.step)
    // Each of 6 ranks of site a has one partner in site b, among its 3: 2 · 3 of the messages pass the line,
    // each way.
    let crossing = home.bytes / 3 * 6
    #expect(home.step > crossing / (10e6 / 8))
    #expect(home.step < 1.2 * crossing / (10e6 / 8) + 0.3)
    #expect(try step(yaml(10), "{outer: {every: 50}}").step < home.step / 5)
  }

  @Test func `the slowest of many ranks is slower than one`() throws {
    func found(_ ranks: Int) throws -> Double {
      try step(
        "{ranks_per_node: \(ranks), gflops: 1, variation: 0.05, memory: {rank: 1.0e+6}, "
          + "shared_memory: {gigabytes: 1.0e+6}}"
      ).step
    }
    // The expected maximum of 64 normal numbers is 2.4.
    let ratio = try found(64) / found(1)
    #expect(ratio > 1.08 && ratio < 1.16)
  }

  @Test func `weights that no cache holds are read at every time step`() throws {
    func reading(_ node: String) throws -> Double {
      func found(_ cache: String) throws -> Double {
        try step(
          "{ranks_per_node: 16, gflops: 1.0e+6, memory: {rank: 10, node: 16}, cache: {\(cache)}}",
          "{node: \(node)}"
        ).step
      }
      return try found("core: 0.0001") - found("core: 0.0001, node: 1000")
    }
    // 16 ranks share 16 GB/s; forward and backward loop of 11 steps each. One copy is read once for all, as
    // fast as one rank can.
    let weights = Double(4 * (4 * 70 * 70 + 3 * 90 * 90))
    #expect(abs(try reading("separate") / (22 * weights / 1e9) - 1) < 0.01)
    #expect(abs(try reading("shared") / (22 * weights / 10e9) - 1) < 0.02)
  }
}

@Suite struct `Descriptions of clusters` {
  @Test func `a written description reads back as it was`() throws {
    let original = try cluster(
      """
      processor: 'a "processor" \\ of mine'
      ranks_per_node: 3
      gflops: {output: 80.25, input: 70.5, recurrent: 60.12}
      elementwise: 0.5
      variation: 0.02
      memory: {rank: 12.5, node: 30, gibibytes: 15.5}
      cache: {core: 2, node: 32}
      link: {gigabits: 0.95, microseconds: 50, startup: 900, core: 1.5, message: 2.5}
      sites:
        - {name: home, nodes: 2, up: 0.04, down: 0.25, milliseconds: 12}
        - {name: "the office", nodes: 4, ranks_per_node: 8, gflops: 40, up: 1, down: 1}
      """)
    let again = try cluster(original.yaml)
    #expect(again == original)
    #expect(original.ranks == 2 * 3 + 4 * 8)
    #expect(try cluster("{gflops: 1, memory: {rank: 2}}").ranks == 1)
  }

  @Test(arguments: [
    ("gflops: 80", "memory is missing; add it"),
    ("memory: {rank: 10}", "gflops is missing; add it"),
    ("gflops: 0\nmemory: {rank: 10}", "1:9: gflops must be more than 0"),
    ("gflops: 80\nmemory: {rank: -1}", "2:16: rank must be more than 0"),
    ("gflops: 80\nmemory: {rank: 10}\nnodes: 2", "several nodes need a link between them: write"),
    ("gflops: 80\nmemory: {rank: 10}\nnodes: 0", "3:8: nodes is 0: give 1 to 65536"),
    ("gflops: 80\nmemory: {rank: 10}\nvariation: 2", "3:12: variation is a share"),
    ("gflops: 80\nmemory: {rank: 10}\nlink: {gigabit: 1}", "cluster.yaml:3:"),
    ("gflops: {output: 1, input: 2}\nmemory: {rank: 10}", "recurrent is missing"),
    (
      "gflops: 80\nmemory: {rank: 10}\nnodes: 1\nlink: {gigabits: 1}\nsites:\n  - {name: a, up: 1, down: 1}",
      "nodes and sites exclude each other: write nodes in each site"
    ),
    (
      "gflops: 80\nmemory: {rank: 10}\nlink: {gigabits: 1}\nsites:\n  - {name: a, up: 1}",
      "down is missing"
    ),
  ])
  func `a bad description is refused with file, line and advice`(_ yaml: String, _ part: String)
    throws
  {
    let error = #expect(throws: ConfigurationError.self) { try cluster(yaml) }
    let sentence = error?.description ?? ""
    #expect(sentence.hasPrefix("cluster.yaml:"), "\(sentence)")
    #expect(sentence.contains(part), "\(sentence)")
  }
}

@Suite struct `Plans` {
  static let slow = """
    nodes: 4
    gflops: 50
    memory: {rank: 10, gibibytes: 8}
    link: {gigabits: 0.1}
    """

  @Test(arguments: [slow, "{gflops: 50, ranks_per_node: 4, memory: {rank: 10}}"])
  func `every section to paste decodes, and the chosen one is the printed one`(_ yaml: String)
    throws
  {
    let request = try PlanRequest(try configuration(), on: try cluster(yaml), vocabulary: 600)
    let plan = try StepPlan(request)
    // A node of several ranks has `node: separate` beside the default.
    let count = yaml == Self.slow ? 9 : 10
    #expect(plan.rows.count == count)
    for row in plan.rows {
      let options = try configuration(row.yaml)
      #expect(options.violations(at: .start).isEmpty)
      // Ranks that share memory have a quarter of the weights each, and a gradient.
      let least = count == 10 ? 1.25 : 2
      #expect(row.memory > 4 * least * Double(plan.parameters) && row.fits)
      // A rank that updates a slice has less to do than one alone.
      #expect(row.efficiency > 0 && row.efficiency <= (count == 10 ? 1.5 : 1.0001))
    }
    #expect(Set(plan.rows.map(\.yaml)).count == count)
    #expect(plan.words.hasSuffix(plan.yaml))
    let json = try JSONDecoder().decode(JSONValue.self, from: Data(plan.json.utf8))
    #expect(json["choice"] == .string(plan.choice))
  }

  @Test func `on a slow line a lossy mode is chosen, on one host the default`() throws {
    func choice(_ yaml: String) throws -> StepPlan.Row {
      let plan = try StepPlan(
        try PlanRequest(try configuration(), on: try cluster(yaml), vocabulary: 600))
      return plan.rows.first { $0.mode == plan.choice }!
    }
    #expect(try !choice(Self.slow).isExact)
    #expect(
      try choice(
        "{gflops: 5, ranks_per_node: 4, memory: {rank: 50}, shared_memory: {gigabytes: 20}}"
      )
      .mode == "default")
  }

  @Test func `modes that the configuration excludes are left out`() throws {
    let request = try PlanRequest(
      try configuration("communication: {wire: float32}"),
      on: try cluster("{gflops: 5, memory: {rank: 9}}"),
      vocabulary: 600)
    // One rank exchanges nothing.
    #expect(try StepPlan(request).rows.map(\.mode) == ["default"])
  }

  @Test func `a plan needs a vocabulary and a stream for each rank`() throws {
    let two = try cluster(Self.slow)
    let first = #expect(throws: UsageError.self) { try PlanRequest(try configuration(), on: two) }
    #expect(first?.description.contains("--vocabulary") == true)
    let many = try cluster("{gflops: 5, ranks_per_node: 13, memory: {rank: 9}}")
    let second = #expect(throws: UsageError.self) {
      try PlanRequest(try configuration(), on: many, vocabulary: 60)
    }
    #expect(second?.description.contains("--batch-size") == true)
    #expect(try PlanRequest(try configuration(), on: many, vocabulary: 60, streams: 2).streams == 2)
  }

  @Test func `a node that is too small is told`() throws {
    let small = try cluster("{gflops: 5, ranks_per_node: 4, memory: {rank: 9, gibibytes: 0.001}}")
    let plan = try StepPlan(try PlanRequest(try configuration(), on: small, vocabulary: 600))
    #expect(plan.rows.allSatisfy { !$0.fits })
    #expect(plan.words.contains("does not fit"))
  }

  @Test func `a plot has a curve for each mode and a mark for each world size`() throws {
    let request = try PlanRequest(try configuration(), on: try cluster(Self.slow), vocabulary: 600)
    let plan = try StepPlan(request, upTo: 16)
    #expect(Set(plan.scaling.map(\.ranks)) == [1, 2, 4, 8, 16])
    for point in plan.scaling where point.ranks == 1 { #expect(abs(point.efficiency - 1) < 1e-6) }
    let svg = ScalingPlot(plan).svg
    #expect(svg.matches(of: /<polyline/).count == 9)
    #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>\n"))
    _ = try XMLDocumentCheck(svg)
  }

  @Test func `the streams of a rank on a node of 64 are those of the formula`() throws {
    let yaml =
      "{gflops: 80, ranks_per_node: 64, memory: {rank: 12, node: 320}, cache: {core: 0.01}}"
    let request = try PlanRequest(
      try configuration(), on: try cluster(yaml), vocabulary: 600, streams: 5)
    let node = try StepPlan(request).node
    let weights = Double(4 * (4 * 70 * 70 + 3 * 90 * 90))
    #expect(node.bytesOfRank == weights && node.bytesOfNode == 64 * weights)
    #expect(!node.fitsCaches)
    #expect(abs(node.streamsNeeded - 4 * 80e9 / (2 * 320e9 / 64)) < 1e-9)
  }
}

/// Checks that tags of an XML text are closed in order.
private struct XMLDocumentCheck {
  init(_ text: String) throws {
    var open: [String] = []
    for match in text.matches(of: /<(\/?)([a-z]+)[^>]*?(\/?)>/) {
      if !match.1.isEmpty {
        #expect(open.popLast() == String(match.2))
      } else if match.3.isEmpty {
        open.append(String(match.2))
      }
    }
    #expect(open.isEmpty)
  }
}

@Suite(.serialized) struct `Measured clusters` {
  @Test(arguments: World.upToFour)
  func `a measured description is complete, the same on every rank, and reads back`(_ world: World)
    throws
  {
    let locals = try world.run { world in
      let measurement = try ClusterMeasurement(
        try configuration(), vocabulary: 600, streams: 3, ranks: world.size)
      return try measurement.run(in: world, seconds: 0.1)
    }
    for local in locals {
      let found = local.value
      #expect(found.gflops.output > 0 && found.gflops.input > 0 && found.gflops.recurrent > 0)
      #expect(found.elementwise ?? 0 > 0)
      #expect(found.memory.rank > 0 && found.memory.gibibytes ?? 0 > 0)
      #expect(found.ranks == local.size)
      #expect(found.processor?.isEmpty == false)
      let again = try cluster(found.yaml)
      #expect(again.ranks == found.ranks)
      #expect(abs(again.gflops.output / found.gflops.output - 1) < 0.01)
      // One rank takes in theory the time that it took.
      let plan = try StepPlan(
        try PlanRequest(try configuration(), on: found, vocabulary: 600, streams: 3))
      #expect(plan.computeMilliseconds > 0)
    }
  }
}
