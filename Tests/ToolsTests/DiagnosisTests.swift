import Collectives
import Configuration
import Formats
import Foundation
import Testing
import Tools

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
        in: world, launch: Self.alone, builtFor: "this test", folder: NSTemporaryDirectory())?.words
    }
    #expect(words[1] == nil && words[2] == nil)
    let lines = try #require(words[0]).split(separator: "\n")
    #expect(lines.filter { $0.hasPrefix("binding") }.count == 3)
    #expect(lines[0].contains("built for this test"))
    #expect(lines.contains { $0.hasPrefix("message passing") && $0.contains("Open MPI") })
  }
}
