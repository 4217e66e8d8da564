import Checkpointing
import Collectives
import Configuration
import Datasets
import Formats
import Foundation
import Runs
import TestSupport
import Testing
import Training

@Suite struct `What memory a run may have, and needs` {
  /// The limit of control groups as files below a folder tell of it, and the path that tells.
  private func limit(_ files: [String: String]) throws -> (bytes: Double, path: String)? {
    try withTemporaryFolder { root in
      for (name, text) in files {
        let file = URL(filePath: root + name)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data((text + "\n").utf8).write(to: file)
      }
      return MemoryLimits.groupLimit(root: root).map {
        ($0.bytes, $0.source.replacing(", which grants", with: ""))
      }
    }
  }

  static let unified =
    "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
  static let memory = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"

  @Test func `Version 2: the least limit of the group and of all around it counts`() throws {
    let base = [
      "/proc/self/cgroup": "0::/job/step/task", "/proc/self/mountinfo": Self.unified,
      "/sys/fs/cgroup/job/step/task/memory.max": "max",
      "/sys/fs/cgroup/job/step/task/memory.high": "max",
    ]
    #expect(try limit(base) == nil)
    let places = ["job/step/task/memory.max", "job/step/memory.high", "job/memory.max"]
    for place in places {
      var files = base
      for other in places { files["/sys/fs/cgroup/" + other] = "9000000" }
      files["/sys/fs/cgroup/" + place] = "5000000"
      // Groups beside it are others'.
      files["/sys/fs/cgroup/job/other/memory.max"] = "1000"
      let found = try #require(try limit(files))
      #expect(found == (5_000_000, "/sys/fs/cgroup/" + place))
    }
  }

  @Test func `Version 1: the group and all around it, and no limit is a huge number`() throws {
    let files = [
      "/proc/self/cgroup": "5:cpu,cpuacct:/elsewhere\n4:memory:/slurm/job_7\n0::/",
      "/proc/self/mountinfo":
        "\(Self.memory)\n33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu",
      "/sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes": "9223372036854771712",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
      "/sys/fs/cgroup/memory/elsewhere/memory.limit_in_bytes": "1000",
    ]
    #expect(try limit(files) == nil)
    let limited = files.merging([
      "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes": "3000000"
    ]) { $1 }
    #expect(
      try #require(try limit(limited))
        == (3_000_000, "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes"))
  }

  @Test func `In a container, the group that is seen at the mount is the container's own`() throws {
    // Without a namespace of its own: the mount shows the group /docker/ab, and blanks are \040.
    let seen = [
      "/proc/self/cgroup": "4:memory:/docker/ab/inner",
      "/proc/self/mountinfo":
        "35 31 0:32 /docker/ab /my\\040groups rw - cgroup cgroup rw,memory",
      "/my groups/inner/memory.limit_in_bytes": "8000", "/my groups/memory.limit_in_bytes": "7000",
    ]
    #expect(try #require(try limit(seen)) == (7000, "/my groups/memory.limit_in_bytes"))
    // With one: the group is called /.
    let own = [
      "/proc/self/cgroup": "0::/", "/proc/self/mountinfo": Self.unified,
      "/sys/fs/cgroup/memory.max": "6000",
    ]
    #expect(try #require(try limit(own)) == (6000, "/sys/fs/cgroup/memory.max"))
  }

  @Test func `Nothing there, or nonsense, is no limit`() throws {
    #expect(try limit([:]) == nil)
    #expect(
      try limit([
        "/proc/self/cgroup": "x", "/proc/self/mountinfo": "a b - \(Self.unified)",
        "/sys/fs/cgroup/memory.max": "-",
      ]) == nil)
  }

  // MARK: What a run needs

  private func need(_ settings: String...) throws -> MemoryEstimate {
    try withTemporaryFolder { folder in
      let text = String(repeating: "abcdefgh", count: 500)
      try put(Array(text.utf8), at: folder + "/train.txt")
      var configuration = try Configuration(
        yaml: """
          data: {train: \(folder)/train.txt}
          model: {embedding: 6, layers: [{cell: lstm, hidden: 40}]}
          training: {batch_size: 3, bptt: 7}
          """, file: "need")
      for setting in settings { try configuration.set(setting) }
      let options = try configuration.decode(RunOptions.self)
      let dataset = try Dataset(options.data, cache: folder + "/cache", writing: true)
      return MemoryEstimate(options, dataset, SingleProcess())
    }
  }

  @Test func `Masked copies of weights count, and the longest window`() throws {
    let alone = try need()
    let dropped = try need("model.layers.0.weight_dropout=0.5")
    // U and its gradient.
    #expect(dropped.ofRank - alone.ofRank == Double(2 * 4 * 40 * 40 * 4))
    let random = try need("training.random_bptt={deviation: 2}")
    let longer = try need("training.bptt=15")
    #expect(random.ofTape == longer.ofTape && random.ofTape > alone.ofTape)
  }

  @Test func `The tapes of the validation and of the test count, and the moments that there are`()
    throws
  {
    let alone = try need()
    #expect(alone.ofEvaluations == 0)
    let validated = try need("data.valid=0.2", "evaluation={batch_size: 5, bptt: 50}")
    // More steps than in training, without derivatives.
    #expect(validated.ofEvaluations > alone.ofTape)
    #expect(validated.ofRank - alone.ofRank >= validated.ofEvaluations)
    let tested = try need(
      "data.valid=0.2", "data.test=0.2", "evaluation={batch_size: 5, bptt: 50}")
    #expect(tested.ofEvaluations > 2 * validated.ofEvaluations)
    // The first rank alone writes samples.
    let sampled = try need("evaluation.sample={length: 9}")
    #expect(alone.ofSamples == 0 && sampled.ofSamples > 0)
    #expect(sampled.ofEvaluations == alone.ofEvaluations && sampled.ofRank >= alone.ofRank)
    // The gradient that an evaluation shows is counted.
    let bare = try need(
      "data.valid=0.2", "evaluation={batch_size: 5, bptt: 50}", "report.tensorboard=false")
    #expect(validated.ofRank > bare.ofRank && validated.ofEvaluations == bare.ofEvaluations)
    // Adam's two moments, and SGD's none.
    let plain = try need("training.optimizer.rule=sgd")
    let momentum = try need("training.optimizer={rule: sgd, momentum: 0.5}")
    #expect(alone.ofRank - momentum.ofRank == momentum.ofRank - plain.ofRank)
    #expect(momentum.ofRank > plain.ofRank)
  }

  @Test func `Copies of weights count where products use them`() throws {
    #expect(try need("training.precision=bfloat16").ofCopies > 0)
    // Two layers' large copies take turns.
    let one = try need("training.precision=bfloat16", "model.layers.0.hidden=600")
    let two = try need(
      "training.precision=bfloat16",
      "model.layers=[{cell: lstm, hidden: 600}, {cell: lstm, hidden: 600}]")
    #expect(two.ofCopies < 2 * one.ofCopies)
  }

  @Test func `The copy from which a checkpoint is written counts, unless training waits`() throws {
    let alone = try need()
    // Weights and the two moments of Adam; SGD has none.
    let plain = try need("training.optimizer.rule=sgd")
    #expect(plain.ofSnapshot > 0 && alone.ofSnapshot == 3 * plain.ofSnapshot)
    #expect(try need("training.average.decay=0.9").ofSnapshot == 4 * plain.ofSnapshot)
    let waiting = try need("checkpoint.asynchronous=false")
    #expect(waiting.ofSnapshot == 0 && waiting.ofRank == alone.ofRank)
  }

  @Test func `A run beyond a limit is refused with who sets it, at the limit it is not`() throws {
    let need = try need()
    let machine = MemoryLimits.Limit(
      bytes: need.ofRank + need.ofSnapshot + 1000, source: "/a/memory.max, which grants")
    try need.check(MemoryLimits(ofMachine: machine), present: 1000)
    var error = #expect(throws: UsageError.self) {
      try need.check(MemoryLimits(ofMachine: machine), present: 1001)
    }
    #expect(error?.description.contains("memory on /a/memory.max, which grants") == true)
    let process = MemoryLimits(
      ofMachine: MemoryLimits.Limit(bytes: .infinity, source: ""),
      ofProcess: MemoryLimits.Limit(
        bytes: need.ofRank + need.ofSnapshot, source: "ulimit -v, which grants each process"))
    try need.check(process, present: 0)
    error = #expect(throws: UsageError.self) { try need.check(process, present: 1) }
    #expect(error?.description.contains("under ulimit -v, which grants each process") == true)
    #expect(ExitStatus.of(try #require(error)) == 64)
  }
}
