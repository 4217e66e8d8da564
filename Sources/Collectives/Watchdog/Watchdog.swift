internal import Glibc
internal import Synchronization

/// A thread of each rank that ends the whole job if a rank no longer advances, because it is stopped, in an endless
/// loop, or cut off.
///
/// Every rank tells the root about once a second, by UDP, how long ago it has advanced and if it waits for others;
/// the root answers. The root's thread names the rank that the others wait for, and ends its process, upon which
/// the launcher ends all others. If the root is not heard, the other ranks end theirs.
///
/// Time is counted while the thread runs, so a job that was stopped whole, and continued, is not ended.
public final class Watchdog: Sendable {
  private let rank: Int
  private let hosts: [String]
  private let limit: Double
  private let exitCode: Int32
  private let job: UInt64
  private let socket: HeartbeatSocket?
  /// The addresses of the root.
  private let targets: [HeartbeatSocket.Address]
  private let isStopped = Atomic<Bool>(false)
  private let activity = RankActivity.current

  /// The seconds from one message to the next.
  private var interval: Double { min(1, limit / 20) }
  /// The seconds by which ranks leave the message about a lost root to those before them.
  private static let stagger = 1.5
  /// The seconds that the launcher has for ending the ranks of all hosts; it takes three, and more on a busy machine.
  private static let launcherPatience = 15
  /// The seconds after which the root tells which ranks it cannot hear.
  private static let patience = 30.0

  /// Starts to watch the ranks of a job. Collective.
  /// - Parameters:
  ///   - world: The ranks of the job.
  ///   - limit: The seconds without progress after which the job ends.
  ///   - exitCode: The exit code of the process that ends the job.
  public static func start(
    _ world: any Communicator, limit: Double, exitCode: Int32
  ) throws(CommunicationError) -> Watchdog {
    let watchdog = try Watchdog(world, limit: limit, exitCode: exitCode)
    watchdog.startThread()
    return watchdog
  }

  private init(
    _ world: any Communicator, limit: Double, exitCode: Int32
  ) throws(CommunicationError) {
    (rank, self.limit, self.exitCode) = (world.rank, limit, exitCode)
    socket = world.size > 1 ? HeartbeatSocket() : nil
    hosts = try world.allGather(Array(world.hostName.utf8)).map {
      String(decoding: $0, as: UTF8.self)
    }
    let draw = withUnsafeBytes(of: UInt64.random(in: 1 ... .max)) { Array($0) }
    let addresses = world.isRoot ? Self.encode(HeartbeatSocket.addressesOfHost, socket?.port) : []
    let told = try world.broadcast(draw + addresses)
    job = told.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    targets = Self.decode(Array(told.dropFirst(8)), isOnHost: world.nodeSize == world.size)
  }

  private static func encode(_ addresses: [UInt32], _ port: UInt16?) -> [UInt8] {
    guard let port else { return [] }
    return ([HeartbeatSocket.loopback] + addresses).flatMap { address in
      withUnsafeBytes(of: address) { Array($0) } + withUnsafeBytes(of: port) { Array($0) }
    }
  }

  private static func decode(_ bytes: [UInt8], isOnHost: Bool) -> [HeartbeatSocket.Address] {
    let all = bytes.withUnsafeBytes { memory in
      stride(from: 0, to: memory.count / 6 * 6, by: 6).map {
        HeartbeatSocket.Address(
          address: memory.loadUnaligned(fromByteOffset: $0, as: UInt32.self),
          port: memory.loadUnaligned(fromByteOffset: $0 + 4, as: UInt16.self))
      }
    }
    return isOnHost ? Array(all.prefix(1)) : all
  }

  /// Ends the watch.
  public func stop() { isStopped.store(true, ordering: .relaxed) }

  private func startThread() {
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { watchdog in
        RequestSignals.leaveToOthers()
        Unmanaged<Watchdog>.fromOpaque(watchdog!).takeRetainedValue().watch()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    // Without the thread the job is not watched.
    if code == 0 { pthread_detach(thread) }
  }

  /// The ranks and the progress that a thread has seen so far.
  private struct Sight {
    var ranks: [WatchedRank]
    var state = RankActivity.State()
    var use: UInt64 = 0
    var idle = 0.0
    /// The seconds since the root was heard; nil if it never was.
    var silenceOfRoot: Double?
    /// The address from which the root has answered.
    var root: HeartbeatSocket.Address?
    var seconds = 0.0
    var hasWarned = false
  }

  private func watch() {
    let clock = ContinuousClock()
    var sight = Sight(
      ranks: hosts.enumerated().map { WatchedRank(rank: $0.offset, host: $0.element) })
    let use = ThreadUse()
    var last = clock.now
    // The first message goes out at once, so that a rank that stops soon is known.
    if rank > 0 { report(&sight) }
    while !isStopped.load(ordering: .relaxed) {
      listen(until: clock.now + .seconds(interval), clock, &sight)
      let now = clock.now
      // The time in which this process was stopped does not count.
      let elapsed = min((now - last) / .seconds(1), 3 * interval)
      last = now
      look(&sight, use.total, elapsed)
      if rank == 0 { judge(&sight) } else { report(&sight) }
    }
  }

  /// Looks at the progress of this rank.
  private func look(_ sight: inout Sight, _ use: UInt64, _ elapsed: Double) {
    let state = activity.state
    let works = state.count != sight.state.count || !state.isWaiting && use != sight.use
    sight.idle = works ? 0 : sight.idle + elapsed
    (sight.state, sight.use) = (state, use)
    sight.seconds += elapsed
    sight.silenceOfRoot = sight.silenceOfRoot.map { $0 + elapsed }
    for index in sight.ranks.indices where index != rank {
      sight.ranks[index].silence = sight.ranks[index].silence.map { $0 + elapsed }
      sight.ranks[index].idle += elapsed
    }
    sight.ranks[rank].silence = 0
    (sight.ranks[rank].idle, sight.ranks[rank].state) = (sight.idle, state)
  }

  /// Receives messages for a while; the root answers each.
  private func listen(
    until end: ContinuousClock.Instant, _ clock: ContinuousClock, _ sight: inout Sight
  ) {
    while clock.now < end {
      let left = Int32(max((end - clock.now) / .milliseconds(1), 0).rounded(.up))
      guard let socket else {
        usleep(UInt32(1000 * left))
        return
      }
      guard let (bytes, sender) = socket.receive(Heartbeat.size, within: left),
        let message = Heartbeat(bytes), message.job == job
      else { continue }
      if rank > 0 {
        (sight.silenceOfRoot, sight.root) = (0, sender)
        sight.ranks[0].silence = 0
        sight.ranks[0].state = message.state
      } else if sight.ranks.indices.contains(message.rank), message.rank > 0 {
        sight.ranks[message.rank].silence = 0
        sight.ranks[message.rank].idle = message.idle
        sight.ranks[message.rank].state = message.state
        socket.send(own(sight).bytes, to: sender)
      }
    }
  }

  private func own(_ sight: Sight) -> Heartbeat {
    Heartbeat(job: job, rank: rank, idle: sight.idle, state: sight.state)
  }

  /// Ends the job from the root if a rank no longer advances.
  private func judge(_ sight: inout Sight) {
    if let verdict = WatchdogVerdict.of(sight.ranks, limit: limit) {
      end(verdict.message(sight.ranks, limit: limit))
    }
    guard sight.seconds > Self.patience, !sight.hasWarned else { return }
    sight.hasWarned = true
    let unheard = sight.ranks.filter { $0.silence == nil }
    guard let first = unheard.first else { return }
    let others = unheard.count > 1 ? " and \(unheard.count - 1) more" : ""
    tell(
      "warning: the watchdog hears nothing of \(first.name)\(others), so it could not name such a rank: "
        + "allow UDP between the hosts\n")
  }

  /// Tells the root how this rank is, and ends the job if the root is not heard or all ranks wait.
  private func report(_ sight: inout Sight) {
    let bytes = own(sight).bytes
    for target in sight.root.map({ [$0] }) ?? targets { socket?.send(bytes, to: target) }
    let later = limit + Double(min(rank, 8)) * Self.stagger
    let known = [sight.ranks[0], sight.ranks[rank]]
    if let silence = sight.silenceOfRoot, silence > later {
      end(WatchdogVerdict.silent(rank: 0).message(known, limit: limit))
    }
    // Without a line to the root each rank watches itself.
    if sight.silenceOfRoot == nil, sight.idle > later,
      let verdict = WatchdogVerdict.of(known, limit: limit)
    {
      end(verdict.message(known, limit: limit))
    }
  }

  /// Ends this process, and with it the job.
  private func end(_ message: String) {
    tell("unroll: " + message)
    if Set(hosts).count > 1 { LauncherEnd.await(seconds: Self.launcherPatience) }
    // The launcher passes the message on.
    usleep(200_000)
    _exit(exitCode)
  }

  private func tell(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}
