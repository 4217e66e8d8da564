import Foundation
import Testing

import Collectives

@Suite struct `The watchdog` {
  /// Ranks that were heard now and have just advanced.
  private static func ranks(_ count: Int) -> [WatchedRank] {
    (0..<count).map { rank in
      var watched = WatchedRank(rank: rank, host: "host\(rank / 2)")
      watched.silence = 0
      watched.state.phase = .training
      watched.state.step = 12
      return watched
    }
  }

  @Test func `ranks that advance, or wait for one that does, are left alone`() {
    var ranks = Self.ranks(4)
    #expect(WatchdogVerdict.of(ranks, limit: 60) == nil)
    for other in 1..<4 { (ranks[other].state.isWaiting, ranks[other].idle) = (true, 500) }
    ranks[0].idle = 59
    #expect(WatchdogVerdict.of(ranks, limit: 60) == nil)
    // A process that cannot be heard from the start is not known to be stopped.
    ranks[3].silence = nil
    #expect(WatchdogVerdict.of(ranks, limit: 60) == nil)
  }

  @Test func `a rank that lives and does not advance is named, not those that wait for it`() {
    var ranks = Self.ranks(4)
    for other in [0, 1, 3] { (ranks[other].state.isWaiting, ranks[other].idle) = (true, 70) }
    ranks[2].idle = 61
    let verdict = WatchdogVerdict.of(ranks, limit: 60)
    #expect(verdict == .stuck(rank: 2))
    let message = verdict!.message(ranks, limit: 60)
    #expect(message.hasPrefix("rank 2 on host1 has not advanced for 60 s: "))
    #expect(message.contains("\n  rank 2 on host1: training after step 12\n  rank 0"))
    #expect(
      message.contains("rank 3 on host1: waiting for other ranks while training after step 12"))
  }

  @Test func `a rank that fell silent is named before those that it stopped`() {
    var ranks = Self.ranks(3)
    ranks[1].silence = 60.5
    for other in [0, 2] { (ranks[other].state.isWaiting, ranks[other].idle) = (true, 60.2) }
    let verdict = WatchdogVerdict.of(ranks, limit: 60)
    #expect(verdict == .silent(rank: 1))
    #expect(verdict!.message(ranks, limit: 60).hasPrefix("nothing was heard of rank 1 on host0"))
  }

  @Test func `ranks that all wait for each other end`() {
    var ranks = Self.ranks(2)
    for rank in 0..<2 { (ranks[rank].state.isWaiting, ranks[rank].idle) = (true, 61) }
    ranks[1].idle = 59
    #expect(WatchdogVerdict.of(ranks, limit: 60) == nil)
    ranks[1].idle = 61
    #expect(WatchdogVerdict.of(ranks, limit: 60) == .allWait)
  }

  @Test func `a rank that was never heard is named if all wait and it is on the first one's host`()
  {
    var ranks = Self.ranks(4)
    for rank in 0..<4 { (ranks[rank].state.isWaiting, ranks[rank].idle) = (true, 61) }
    // Between hosts messages may be blocked.
    ranks[3].silence = nil
    let blocked = WatchdogVerdict.of(ranks, limit: 60)
    #expect(blocked == .allWait)
    #expect(blocked!.message(ranks, limit: 60).contains("rank 3 on host1: no message has come"))
    ranks[1].silence = nil
    #expect(WatchdogVerdict.of(ranks, limit: 60) == .silent(rank: 1))
  }

  @Test func `a large job is not listed whole`() {
    var ranks = Self.ranks(100)
    ranks[99].silence = 99
    let lines = WatchdogVerdict.silent(rank: 99).message(ranks, limit: 60).split(separator: "\n")
    #expect(lines.count == 10 && lines.last == "  and 92 more ranks")
  }

  @Test func `a message reads back, and nothing else is taken for one`() {
    let state = RankActivity.State(count: .max - 3, isWaiting: true, phase: .saving, step: 1 << 40)
    let message = Heartbeat(job: 0x1234_5678_9abc_def0, rank: 4095, idle: 61.25, state: state)
    #expect(Heartbeat(message.bytes) == message)
    #expect(message.bytes.count == Heartbeat.size)
    for count in [0, 1, 47, 49, 100] {
      #expect(Heartbeat([UInt8](repeating: 1, count: count)) == nil)
    }
    var other = message.bytes
    other[41] = 200
    #expect(Heartbeat(other) == nil)
    (other[41], other[23]) = (1, 0xff)
    // Not a number.
    for index in 16..<23 { other[index] = 0xff }
    #expect(Heartbeat(other) == nil)
    other = message.bytes
    for index in 8..<16 { other[index] = 0xff }
    #expect(Heartbeat(other) == nil)
  }

  @Test func `a rank that waits tells so until it advances`() {
    let activity = RankActivity()
    activity.enter(.evaluating, step: 7)
    #expect(activity.state == .init(count: 1, isWaiting: false, phase: .evaluating, step: 7))
    activity.wait()
    #expect(activity.state.isWaiting && activity.state.count == 1)
    activity.advance()
    #expect(!activity.state.isWaiting && activity.state.count == 2)
  }

  @Test func `messages arrive at the port of a socket`() throws {
    let (a, b) = (try #require(HeartbeatSocket()), try #require(HeartbeatSocket()))
    let bytes: [UInt8] = [1, 2, 3]
    a.send(bytes, to: .init(address: HeartbeatSocket.loopback, port: b.port))
    let found = try #require(b.receive(10, within: 2000))
    #expect(found.bytes == bytes && found.from.port == a.port)
    b.send([9], to: found.from)
    #expect(a.receive(10, within: 2000)?.bytes == [9])
    #expect(a.receive(10, within: 1) == nil)
  }

  @Test func `a launcher is killed after a while, and never another process of its number`() throws
  {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sleep")
    process.arguments = ["60"]
    try process.run()
    defer { process.terminate() }
    let pid = process.processIdentifier
    let start = try #require(LauncherEnd.start(of: pid))
    LauncherEnd.kill(pid, startedAt: start + "1", after: 0)
    // Its time is not yet over.
    LauncherEnd.kill(pid, startedAt: start, after: 30)
    Thread.sleep(forTimeInterval: 1)
    #expect(process.isRunning && LauncherEnd.start(of: pid) == start)
    LauncherEnd.kill(pid, startedAt: start, after: 1)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == 9)
    #expect(LauncherEnd.start(of: pid) == nil)
    // Nothing is left behind, for which a program that waits for any child would be woken for ever.
    let shells = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter {
      guard let line = try? String(contentsOfFile: "/proc/\($0)/stat", encoding: .utf8) else {
        return false
      }
      return line.contains("(sh) ") && line.split(separator: " ")[3] == "\(getpid())"
    }
    #expect(shells.isEmpty)
  }
}
