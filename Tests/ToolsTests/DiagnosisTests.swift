import Collectives
import Configuration
import Formats
import Foundation
import Testing
import Tools

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct `The doctor` {
  private static let alone = Launch { _ in nil }

  private static func rank(
    _ rank: Int, on processors: [Int], of online: Int = 4, host: String = "a",
    sharedMemory: Int = 1 << 30, quota: Double? = nil, name: String = "CPU",
    usesOwnTiles: Bool = false
  ) -> RankFacts {
    RankFacts(
      rank: rank, host: host, processorName: name, processors: processors,
      cores: processors.map(String.init), onlineProcessors: online, quota: quota,
      kernels: "Kernels", productThreads: 1, oneDNN: "oneDNN 2", hasBFloat16: true,
      usesOwnTiles: usesOwnTiles,
      sharedMemory: .init(size: sharedMemory, free: sharedMemory), canReadAcross: true)
  }

  /// Returns the findings about one subject.
  private static func findings(_ what: String, _ ranks: [RankFacts]) -> [HealthReport.Finding] {
    HealthReport(of: ranks, launch: alone, builtFor: "x", folder: NSTemporaryDirectory())
      .findings.filter { $0.what == what }
  }

  @Test func `sees ranks that share a core, too many ranks, and cores that nobody uses`() {
    func cores(_ ranks: [RankFacts]) -> HealthReport.Finding? {
      Self.findings("cores", ranks).first
    }
    let all = [0, 1, 2, 3]
    #expect(cores((0..<4).map { Self.rank($0, on: [$0]) }) == nil)
    #expect(cores((0..<4).map { Self.rank($0, on: all) }) == nil)
    #expect(cores((0..<2).map { Self.rank($0, on: [2 * $0, 2 * $0 + 1]) })?.severity == .note)
    let shared = cores([Self.rank(0, on: [0]), Self.rank(1, on: [1]), Self.rank(2, on: [0])])
    #expect(shared?.severity == .warning && shared?.value == "a: ranks 0 and 2 share core 0")
    #expect(
      cores([Self.rank(0, on: [1]), Self.rank(1, on: [1])])?.advice?.contains("--bind-to") == true)
    #expect(cores((0..<5).map { Self.rank($0, on: all) })?.value == "a: 5 ranks on 4 cores")
    #expect(cores([Self.rank(0, on: all)])?.value == "a: 1 of 4 used")
    #expect(cores([Self.rank(0, on: all, quota: 1.5)]) == nil)
    // The same core of two hosts is two cores.
    #expect(
      cores([Self.rank(0, on: [0], of: 1), Self.rank(1, on: [0], of: 1, host: "b")]) == nil)
  }

  @Test func `sees more threads than cores`() {
    func cores(_ count: Int, _ threads: Int) -> HealthReport.Finding? {
      let ranks = (0..<count).map { number in
        var rank = Self.rank(number, on: [0, 1, 2, 3])
        rank.productThreads = threads
        return rank
      }
      return Self.findings("cores", ranks).first
    }
    #expect(cores(4, 1) == nil)
    #expect(cores(2, 2)?.severity == .note)
    #expect(cores(2, 3)?.value == "a: 2 ranks with 6 threads on 4 cores")
    #expect(cores(1, 8)?.value == "a: 1 rank with 8 threads on 4 cores")
    #expect(cores(1, 8)?.advice?.contains("OMP_NUM_THREADS=1") == true)
  }

  @Test func `clocks of hosts that are a second apart are a warning`() {
    func clocks(_ times: [(String, Double?)]) -> HealthReport.Finding? {
      let ranks = times.enumerated().map { number, time in
        var rank = Self.rank(number, on: [0], host: time.0)
        rank.clock = time.1
        return rank
      }
      return Self.findings("clocks", ranks).first
    }
    #expect(clocks([("a", 5), ("a", 5)]) == nil)
    #expect(clocks([("a", 5), ("b", nil)]) == nil)
    #expect(clocks([("a", 5), ("b", 5.9)])?.severity == .fine)
    let apart = clocks([("a", 5), ("c", 5.2), ("b", 7.5)])
    #expect(apart?.severity == .warning)
    #expect(apart?.value == "that of b is 2.5 s before that of a")
  }

  @Test func `facts of a program that knows fewer of them are read`() throws {
    var own = Self.rank(0, on: [0])
    (own.networks, own.hasNamedNetwork, own.clock) = (["10.0.0.0/8 on eth0", "b"], false, 5)
    let data = try JSONEncoder().encode(own)
    var keys = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    for key in ["networks", "hasNamedNetwork", "clock"] { keys[key] = nil }
    let older = try JSONSerialization.data(withJSONObject: keys)
    var other = try JSONDecoder().decode(RankFacts.self, from: older)
    #expect(other == Self.rank(0, on: [0]))
    other.host = "b"
    #expect(Self.findings("networks", [other, own]).first?.value.hasPrefix("a has 2: ") == true)
    #expect(Self.findings("clocks", [other, own]).isEmpty)
  }

  @Test func `several networks are a warning where hosts must find each other and none is named`() {
    func found(_ hosts: [String], _ networks: [String], named: Bool = false) -> String? {
      let ranks = hosts.enumerated().map { number, host in
        var rank = Self.rank(number, on: [number], host: host)
        (rank.networks, rank.hasNamedNetwork) = (networks, named)
        return rank
      }
      return Self.findings("networks", ranks).first?.value
    }
    let two = ["10.0.0.0/8 on eth0", "172.17.0.0/16 on docker0"]
    #expect(found(["a", "b"], two) == "a has 2: 10.0.0.0/8 on eth0, 172.17.0.0/16 on docker0")
    #expect(found(["a", "a"], two) == nil)
    #expect(found(["a", "b"], [two[0]]) == nil)
    #expect(found(["a", "b"], two, named: true) == nil)
  }

  @Test func `another program on another host is a warning`() {
    func found(_ programs: [UInt64?]) -> [HealthReport.Finding] {
      let ranks = programs.enumerated().map { number, program in
        var rank = Self.rank(number, on: [0], host: "\(number)")
        rank.program = program
        return rank
      }
      return Self.findings("program", ranks).filter { $0.severity > .fine }
    }
    #expect(found([7, 7, nil]).isEmpty && found([nil, 7]).isEmpty)
    #expect(found([7, 7, 8]).map(\.value) == ["rank 2 on 2 runs another one"])
  }

  @Test func `a file system without locks is a warning`() {
    let folder = NSTemporaryDirectory()
    func severity(_ codes: [Int32]) -> HealthReport.Severity? {
      var rest = codes
      return HealthReport.locks(folder, by: { _ in rest.removeFirst() })?.severity
    }
    #expect(HealthReport.locks(folder)?.severity == .fine)
    #expect(HealthReport.locks("/nowhere") == nil)
    #expect(severity([0, EWOULDBLOCK]) == .fine)
    #expect(severity([ENOSYS]) == .warning && severity([0, 0]) == .warning)
  }

  @Test func `a shared memory too small for the ranks is a failure, Docker's 64 MiB a warning`() {
    func severity(_ ranks: Int, _ size: Int) -> HealthReport.Severity? {
      Self.findings(
        "shared memory", (0..<ranks).map { Self.rank($0, on: [0, 1, 2, 3], sharedMemory: size) }
      ).first?.severity
    }
    #expect(severity(2, 1 << 30) == .fine)
    #expect(severity(16, 64 << 20) == .warning)
    #expect(severity(17, 64 << 20) == .failure)
    #expect(severity(1, 0) == .failure)
  }

  @Test func `own AMX kernels on some ranks only are a warning`() {
    func found(_ own: [Bool]) -> HealthReport.Finding? {
      let ranks = own.enumerated().map { Self.rank($0.offset, on: [0], usesOwnTiles: $0.element) }
      return Self.findings("bfloat16", ranks).first
    }
    #expect(found([false, false])?.value == "multiplied by the processor")
    #expect(found([true, true])?.value.hasSuffix("own AMX kernels") == true)
    #expect(found([true, true])?.severity == .fine)
    #expect(found([true, false])?.severity == .warning)
    #expect(found([true, false])?.value.hasSuffix("not on rank 1") == true)
  }

  @Test func `processors of two kinds are a warning`() {
    let ranks = [Self.rank(0, on: [0]), Self.rank(1, on: [0], host: "b", name: "Other")]
    #expect(Self.findings("processor", ranks).map(\.severity) == [.fine, .fine, .warning])
  }

  @Test func `a folder that cannot be written makes the machine unusable`() {
    let ranks = [Self.rank(0, on: [0])]
    func isUsable(_ folder: String) -> Bool {
      HealthReport(of: ranks, launch: Self.alone, builtFor: "x", folder: folder).isUsable
    }
    #expect(isUsable(NSTemporaryDirectory()))
    #expect(!isUsable("/nowhere/at/all"))
    #expect(!isUsable("/proc"))
  }

  @Test func `asks every rank and speaks on the root`() throws {
    let words = try ThreadCommunicator.run(3) { world in
      try HealthReport.make(
        in: world, launch: Self.alone, builtFor: "this test", folder: NSTemporaryDirectory(),
        load: StepLoad(parameters: 20_000, tokens: 70), probe: LinkProbe(seconds: 0.1))?.words
    }
    #expect(words[1] == nil && words[2] == nil)
    let lines = try #require(words[0]).split(separator: "\n")
    #expect(lines.filter { $0.hasPrefix("binding") }.count == 3)
    #expect(lines[0].contains("built for this test"))
    #expect(lines.contains { $0.hasPrefix("message passing") && $0.contains("Open MPI") })
    #expect(lines.filter { $0.hasPrefix("link ") && $0.contains(": ") }.count == 1)
    #expect(lines.contains { $0.hasPrefix("sum ") && $0.contains("20,000 numbers over 3 ranks: ") })
  }

  /// Facts of hosts a, b, … with one rank each: every link as fast as given, but the first one.
  private static func facts(
    hosts: Int, gigabits: Double, first: Double? = nil, sum: Double, gflops: Double = 75
  ) -> LinkFacts {
    let names = (0..<hosts).map { String(UnicodeScalar(UInt8(97 + $0))) }
    var links: [Link] = []
    for one in 0..<hosts {
      for other in one + 1..<hosts {
        let rate = (links.isEmpty ? first : nil) ?? gigabits
        links.append(
          Link(
            ranks: [one, other], hosts: [names[one], names[other]], latency: 50e-6,
            bytesPerSecond: rate * 1e9 / 8))
      }
    }
    return LinkFacts(
      links: links, sum: SumTime(parameters: 13_700_000, measured: 13_700_000, seconds: sum),
      gflops: gflops, load: StepLoad())
  }

  private static func report(_ facts: LinkFacts, hosts: Int) -> HealthReport {
    let ranks = (0..<hosts).map {
      rank($0, on: [0], host: String(UnicodeScalar(UInt8(97 + $0))))
    }
    return HealthReport(
      of: ranks, launch: alone, builtFor: "x", folder: NSTemporaryDirectory(), links: facts)
  }

  /// The advice about the exchange of gradients.
  private static func advice(_ facts: LinkFacts, hosts: Int = 2) -> String {
    report(facts, hosts: hosts).findings.first { $0.what == "step" }?.advice ?? "none"
  }

  // A step computes for 1 s: 6 · 13.7 million · 700 operations at three quarters of 77 GFLOP/s.
  private static let gflops = 6 * 13.7e6 * 700 / 0.75e9

  @Test(arguments: [
    (0.05, "leave communication as it is"), (0.8, "set communication: {wire: bfloat16}"),
    (3.5, "set communication: {compression: {powersgd: {rank: 4}}}"),
    (12, "set communication: {wire: bfloat16, outer: {every: 50}}"),
    (400, "more ranks do not pay"),
  ])
  func `the slower the sum, the more a setting that pays changes training`(
    _ sum: Double, _ words: String
  ) {
    let advice = Self.advice(Self.facts(hosts: 2, gigabits: 1, sum: sum, gflops: Self.gflops))
    #expect(advice.hasPrefix(words))
    #expect(advice.contains("by estimate 2 ranks train about"))
  }

  @Test func `an estimate has the efficiency that was measured at 1 Gbit and 100 Mbit`() {
    // docs/scaling.md: 0.75 s of computing, 0.9 s more without overlap.
    let fast = StepEstimate(compute: 0.75, sum: 0.9, hosts: 2, ranks: 2)
    for (mode, ratio) in [
      (StepEstimate.Mode.plain, 1.42), (.bfloat16, 1.65), (.powerSGD, 1.77), (.outer, 1.83),
    ] {
      #expect(abs(fast.speedup(mode) / ratio - 1) < 0.1)
    }
    let slow = StepEstimate(compute: 0.75, sum: 4.9, hosts: 2, ranks: 2)
    for (mode, ratio) in [(StepEstimate.Mode.powerSGD, 1.53), (.outer, 1.73)] {
      #expect(abs(slow.speedup(mode) / ratio - 1) < 0.1)
    }
    // On one host nothing is hidden.
    #expect(StepEstimate(compute: 2, sum: 1, hosts: 1, ranks: 2).seconds(.plain) == 3)
  }

  @Test func `links are listed, and a slow one among several is a warning`() {
    func links(_ facts: LinkFacts, _ hosts: Int) -> [HealthReport.Finding] {
      Self.report(facts, hosts: hosts).findings.filter { $0.what.hasPrefix("link") }
    }
    let two = links(Self.facts(hosts: 2, gigabits: 1, sum: 0.4), 2)
    #expect(two.map(\.value) == ["a – b: 0.050 ms, 125 MB/s (1.00 Gbit/s)"])
    let slow = links(Self.facts(hosts: 3, gigabits: 1, first: 0.4, sum: 0.4), 3)
    #expect(slow.map(\.severity) == [.fine, .fine, .fine, .warning])
    #expect(slow[3].value.hasPrefix("a – b "))
    // Fifteen links in one line.
    let many = links(Self.facts(hosts: 6, gigabits: 10, first: 0.1, sum: 0.4), 6)
    #expect(many.map(\.severity) == [.fine, .warning])
    #expect(many[0].value.hasPrefix("15 between hosts: 1250 MB/s"))
    #expect(many[0].value.hasSuffix("a – b: 0.050 ms, 12 MB/s (0.100 Gbit/s)"))
    #expect(links(Self.facts(hosts: 6, gigabits: 10, sum: 0.4), 6).map(\.severity) == [.fine])
  }
}
