import Collectives
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Tools

@Suite(.serialized) struct `Scaling` {
  static func shape() -> BenchRequest.Shape {
    var shape = BenchRequest.Shape()
    shape.layers = 1
    shape.hidden = 7
    shape.embedding = 5
    shape.vocabulary = 60
    shape.batchSize = 3
    shape.bptt = 11
    return shape
  }

  static func request(
    _ sizes: [Int], rounds: Int = 2, shape: BenchRequest.Shape = shape()
  ) throws -> ScalingRequest {
    try ScalingRequest(
      .train, shape, sizes: sizes, rounds: rounds, steps: 4, ranks: sizes.max() ?? 0)
  }

  static func report(
    _ sizes: [Int], rounds: Int = 2, shape: BenchRequest.Shape = shape(), ranks: Int? = nil
  ) throws -> [ScalingReport?] {
    let request = try request(sizes, rounds: rounds, shape: shape)
    return try ThreadCommunicator.run(ranks ?? sizes.max()!) { world in
      let benchmark = ScalingBenchmark(request)
      return try benchmark.run(try benchmark.subject(in: world), in: world)
    }
  }

  @Test func `each number of ranks is measured in every round, and ranks beyond the last wait`()
    throws
  {
    let reports = try Self.report([1, 2, 3], rounds: 3, ranks: 4)
    #expect(reports.dropFirst().allSatisfy { $0 == nil })
    let report = try #require(reports[0])
    #expect(report.rows.map(\.ranks) == [1, 2, 3])
    #expect(report.steps == 4)
    for row in report.rows {
      #expect(row.hosts == 1 && row.rounds.count == 3 && row.ratios.count == 3)
      #expect(row.tokensPerSecond == row.rounds.sorted()[1])
      #expect(row.ratio == row.ratios.sorted()[1])
      for (round, ratio) in row.ratios.enumerated() {
        #expect(ratio == row.rounds[round] / report.rows[0].rounds[round])
      }
      #expect(abs(row.efficiency * Double(row.ranks) - row.ratio) < 1e-12)
      for share in [row.computeShare, row.waitShare, row.sumShare] {
        #expect((0...1).contains(share))
      }
      #expect((0..<row.ranks).contains(row.slowestRank) && row.imbalance >= 0)
    }
    #expect(report.rows[0].ratio == 1 && report.rows[0].imbalance == 0)
    let lines = report.words.split(separator: "\n")
    #expect(lines.count == 6 && lines[1].contains("3 streams × 11 steps on each rank"))
    let again = try JSONDecoder().decode(ScalingReport.self, from: Data(report.json.utf8))
    #expect(again == report)
  }

  @Test func `a report has the medians of the rounds, and names the slowest rank and its host`()
    throws
  {
    var subject = try #require(try Self.report([1])[0]).subject
    (subject.hosts, subject.places) = (["a", "b"], [0, 0, 1])
    typealias Measurement = ScalingBenchmark.Measurement
    func one(_ rate: Double) -> Measurement {
      Measurement(rate: rate, steps: 7, compute: 2, wait: 0, sum: 0, ranks: [2])
    }
    func three(_ rate: Double, wait: Double, ranks: [Double]) -> Measurement {
      Measurement(rate: rate, steps: 7, compute: 2, wait: wait, sum: 1, ranks: ranks)
    }
    let report = ScalingReport(
      subject,
      [
        [one(100), one(50), one(80)],
        [
          three(200, wait: 1, ranks: [2, 2, 2.6]), three(150, wait: 5, ranks: [9, 2, 2.6]),
          three(200, wait: 1, ranks: [2, 2, 2.6]),
        ],
      ])
    let (single, row) = (report.rows[0], report.rows[1])
    #expect(report.steps == 7 && single.tokensPerSecond == 80 && single.ratio == 1)
    #expect(single.hosts == 1 && single.computeShare == 1 && single.slowestHost == "a")
    #expect(row.ranks == 3 && row.hosts == 2 && row.tokensPerSecond == 200)
    // Of each round by itself: 2, 3 and 2.5 times one rank.
    #expect(row.ratios == [2, 3, 2.5] && row.ratio == 2.5 && row.efficiency == 2.5 / 3)
    #expect(row.computeShare == 0.5 && row.waitShare == 0.25 && row.sumShare == 0.25)
    // Rank 0 was slower in one round only.
    #expect(row.slowestRank == 2 && row.slowestHost == "b")
    #expect(abs(row.imbalance - (2.6 / 2.2 - 1)) < 1e-12)
    #expect(report.words.contains("rank 2 on b"))
  }

  @Test func `what cannot be measured is refused with a sentence`() throws {
    func sentence(
      _ sizes: [Int], ranks: Int = 4, rounds: Int = 1, task: BenchRequest.Task = .train
    ) -> String {
      do {
        _ = try ScalingRequest(
          task, Self.shape(), sizes: sizes, rounds: rounds, ranks: ranks,
          command: "unroll bench --scaling 1,2,4")
        return "taken"
      } catch { return error.description }
    }
    #expect(sentence([1, 2, 4]) == "taken" && sentence([1]) == "taken")
    #expect(
      sentence([1, 2, 4], ranks: 1).hasSuffix("mpirun -np 4 unroll bench --scaling 1,2,4"))
    for sizes in [[], [2, 4], [1, 4, 2], [1, 1], [0, 1]] {
      #expect(sentence(sizes).contains("--scaling 1,2,4"))
    }
    #expect(sentence([1, 2], rounds: 0).contains("--rounds"))
    #expect(sentence([1, 2], task: .generate).contains("--task generate"))
  }

  @Test func `a rank has the whole batch of a configuration`() throws {
    let options = try Configuration(
      yaml: """
        data: {train: text.txt, tokenizer: byte}
        model: {embedding: 6, layers: [{cell: lstm, hidden: 9}]}
        training: {batch_size: 5, bptt: 4}
        """, file: "test"
    ).decode(RunOptions.self)
    let request = try ScalingRequest(
      .train, BenchRequest.Shape(), configuration: options, sizes: [1, 2], rounds: 1, steps: 2,
      ranks: 2)
    let reports = try ThreadCommunicator.run(2) { world in
      let benchmark = ScalingBenchmark(request)
      return try benchmark.run(try benchmark.subject(in: world), in: world)
    }
    #expect(reports[0]?.subject.batchSize == 5 && reports[0]?.subject.bptt == 4)
  }

  @Test func `a baseline is written, read again, and refused for another model or processor`()
    throws
  {
    let report = try #require(try Self.report([1, 2])[0])
    try withTemporaryFolder { folder in
      let path = folder + "/baseline.json"
      #expect(try ScalingBaseline(path) == nil)
      try ScalingBaseline.write(report, to: path)
      let baseline = try #require(try ScalingBaseline(path))
      #expect(baseline.report == report)
      func refusal(_ sizes: [Int] = [1, 2], _ change: (inout ScalingSubject) -> Void) -> String {
        var subject = report.subject
        change(&subject)
        do { try baseline.check(subject, sizes: sizes) } catch { return error.description }
        return "taken"
      }
      #expect(refusal { _ in } == "taken" && refusal([1]) { _ in } == "taken")
      #expect(refusal { $0.program = "9.9" } == "taken")
      #expect(refusal { $0.hosts = ["another"] } == "taken")
      #expect(refusal { $0.processor = "Z80" }.contains("of another processor"))
      #expect(refusal { $0.model = "gru" }.contains("of another model"))
      #expect(refusal { $0.vocabulary += 1 }.contains("of another model"))
      #expect(refusal { $0.batchSize = 4 }.contains("3 streams × 11 steps"))
      #expect(refusal { $0.places = [0, 1] }.contains("on hosts in another way"))
      #expect(refusal([1, 2, 4]) { _ in }.contains("--scaling 1,2"))
      let wire = refusal {
        $0.settings = .object([
          "communication": .object(["wire": "bfloat16", "new key of a newer program": 3])
        ])
      }
      #expect(wire.contains("communication.wire"))
      for content in ["", "{}", "[1]", "{\"rows\": 3}"] {
        try Data(content.utf8).write(to: URL(filePath: path))
        let error = #expect(throws: FileError.self) { try ScalingBaseline(path) }
        #expect(error?.exitCode == 65 && error?.description.contains(path) == true)
      }
    }
  }

  /// A report with these speeds in each round of one and of two ranks.
  static func report(_ report: ScalingReport, one: [Double], two: [Double]) -> ScalingReport {
    var report = report
    for (index, rounds) in [one, two].enumerated() {
      report.rows[index].rounds = rounds
      report.rows[index].tokensPerSecond = rounds.sorted()[1]
      report.rows[index].ratios = zip(rounds, one).map { $0 / $1 }
      report.rows[index].ratio = report.rows[index].ratios.sorted()[1]
    }
    return report
  }

  @Test func `a fall in every round is told, in speed or in the ratio, and noise is not`() throws {
    let some = try #require(try Self.report([1, 2])[0])
    let baseline = ScalingBaseline(
      Self.report(some, one: [100, 100, 100], two: [180, 180, 180]), at: "base.json")
    func compare(_ one: [Double], _ two: [Double]) -> ScalingComparison {
      baseline.compare(Self.report(some, one: one, two: two), tolerance: 0.05)
    }
    let same = compare([100, 101, 99], [180, 182, 178])
    #expect(same.complaint == nil && same.rows.map(\.ranks) == [1, 2])
    // One round of three was quiet enough to reach the baseline.
    let noisy = compare([80, 96, 85], [150, 172, 151])
    #expect(noisy.complaint == nil)
    #expect(abs(noisy.rows[0].speedChange + 0.15) < 1e-12)
    #expect(noisy.words.contains("within the noise of the rounds"))
    // Everything is slower.
    let slow = compare([90, 91, 89], [162, 164, 160])
    #expect(slow.rows.map(\.isSlower) == [true, true])
    #expect(slow.rows.map(\.isLessEfficient) == [false, false])
    #expect(slow.complaint?.contains("10.0 %") == true)
    #expect(slow.words.contains("−10.0 %"))
    // The machine is faster, and the second rank is worth less.
    let inefficient = compare([120, 120, 120], [190, 192, 194])
    #expect(inefficient.rows.map(\.isSlower) == [false, false])
    #expect(inefficient.rows.map(\.isLessEfficient) == [false, true])
    #expect(inefficient.complaint?.contains("the ratio to one rank on 2 ranks") == true)
    let wide = baseline.compare(
      Self.report(some, one: [90, 91, 89], two: [162, 164, 160]), tolerance: 0.2)
    #expect(wide.complaint == nil)
    let json = try JSONDecoder().decode(
      JSONValue.self, from: Data(ScalingOutput(some, slow).json.utf8))
    guard case .array(let rows)? = json["comparison"]?["rows"] else {
      Issue.record("no rows")
      return
    }
    #expect(rows.map { $0["slower"] } == [true, true])
    #expect(json["rows"] != nil && json["subject"]?["processor"] != nil)
  }
}
