internal import Collectives
internal import Glibc

/// A request to stop this process: SIGTERM, SIGINT, SIGUSR1, or SIGHUP of a closed terminal, unless
/// the process was started with nohup.
///
/// Before the first step, while data is read and the model is built, there is nothing to save: the
/// process ends at once with exit code 75. From then on the handler only sets a flag. The trainer
/// adds the flag to the sums of each step and checks it during evaluations, so that all ranks learn
/// of it at the same point, save, and exit with code 75. A second signal ends the process at once, if
/// it comes a second after the first or later: launchers send a signal more than once. A checkpoint
/// that is being written is then lost; those before it are not.
public enum StopRequest {
  /// The memory that a signal handler reads and writes.
  private struct Memory {
    var isMade: sig_atomic_t = 0
    /// The time of the first signal, in seconds of the monotonic clock; 0 before it.
    var firstSecond = 0.0
    /// True if there is something to save.
    var waits: sig_atomic_t = 0
    /// True if this rank prints that it ends.
    var speaks: sig_atomic_t = 0
    /// True if SIGTERM may mean that the launcher ends the ranks after one has failed.
    var isLaunched: sig_atomic_t = 0
  }

  // A signal handler can access only global memory.
  nonisolated(unsafe) private static let memory: UnsafeMutablePointer<Memory> = {
    let memory = UnsafeMutablePointer<Memory>.allocate(capacity: 1)
    memory.initialize(to: Memory())
    return memory
  }()

  /// Catches these signals from now on; until `waitForSteps`, a signal ends the process.
  public static func listen() {
    let launch = Launch()
    memory.pointee.speaks = launch.rank == 0 ? 1 : 0
    memory.pointee.isLaunched = launch.launcher == .none ? 0 : 1
    // The run does not end because the reader of its output is gone.
    signal(SIGPIPE, SIG_IGN)
    for signal in RequestSignals.all {
      var inherited = sigaction()
      sigaction(signal, nil, &inherited)
      // Compared as numbers, because functions cannot be compared.
      let handler = unsafeBitCast(inherited.__sigaction_handler.sa_handler, to: Int.self)
      if signal == SIGHUP && handler == unsafeBitCast(SIG_IGN, to: Int.self) { continue }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { StopRequest.receive($0) }
      // Interrupted system calls are restarted.
      action.sa_flags = SA_RESTART
      sigemptyset(&action.sa_mask)
      sigaction(signal, &action, nil)
    }
  }

  /// Makes requests wait for the end of a step, so that a checkpoint can be saved.
  package static func waitForSteps() { memory.pointee.waits = 1 }

  private static func receive(_ signal: Int32) {
    let now = monotonicSeconds
    let isFirst = memory.pointee.firstSecond == 0
    if isFirst { memory.pointee.firstSecond = now }
    memory.pointee.isMade = 1
    if memory.pointee.waits == 0 {
      if memory.pointee.speaks != 0 && !(signal == SIGTERM && memory.pointee.isLaunched != 0) {
        let sentence: StaticString =
          "Stopped before a step was taken, as asked; the same command starts again.\n"
        _ = write(STDERR_FILENO, sentence.utf8Start, sentence.utf8CodeUnitCount)
      }
      _exit(ExitStatus.resumable)
    }
    if !isFirst && now - memory.pointee.firstSecond >= 1 { _exit(128 + signal) }
  }

  /// The monotonic clock, which a signal handler may read.
  private static var monotonicSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// True if a request has arrived.
  public static var isMade: Bool { memory.pointee.isMade != 0 }

  /// Asks this process to stop, as a signal would.
  public static func make() { memory.pointee.isMade = 1 }

  /// Withdraws a request, for a library that trains twice in one process.
  public static func withdraw() { memory.pointee.isMade = 0 }

  /// Tells a supervisor that the run was saved after the request: creates an empty file at the path
  /// in `UNROLL_SAVE_MARK`.
  package static func noteSave() {
    guard isMade, let mark = getenv("UNROLL_SAVE_MARK") else { return }
    let descriptor = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    if descriptor >= 0 { close(descriptor) }
  }
}
