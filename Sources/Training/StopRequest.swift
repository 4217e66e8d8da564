internal import Collectives
internal import Glibc

/// Whether somebody has asked this process to stop: SIGTERM, SIGINT, SIGUSR1, or SIGHUP of a terminal
/// that is gone, unless it was started to outlive it (nohup).
///
/// Until the first step there is nothing to save, whatever is being read, encoded or built: the process
/// ends at once with exit code 75. From then on the handler only sets a flag. The trainer adds it to the
/// tally of each step and asks for it during evaluations, so that all ranks learn of it at the same
/// place, save and leave with exit code 75. A second SIGINT ends the process at once.
public enum StopRequest {
  /// What a signal handler reads and writes.
  private struct Memory {
    var isMade: sig_atomic_t = 0
    /// Whether there is something to save.
    var waits: sig_atomic_t = 0
    /// Whether this rank says that it ends.
    var speaks: sig_atomic_t = 0
    /// Whether SIGTERM is how a launcher clears away ranks after one has failed.
    var isLaunched: sig_atomic_t = 0
  }

  // A signal handler can reach nothing but global memory.
  nonisolated(unsafe) private static let memory: UnsafeMutablePointer<Memory> = {
    let memory = UnsafeMutablePointer<Memory>.allocate(capacity: 1)
    memory.initialize(to: Memory())
    return memory
  }()

  /// Catches these signals from now on; until `waitForSteps` one of them ends the process.
  public static func listen() {
    let launch = Launch()
    memory.pointee.speaks = launch.rank == 0 ? 1 : 0
    memory.pointee.isLaunched = launch.launcher == .none ? 0 : 1
    // Whoever watched the run and is gone does not end it.
    signal(SIGPIPE, SIG_IGN)
    for signal in [SIGTERM, SIGINT, SIGUSR1, SIGHUP] {
      var inherited = sigaction()
      sigaction(signal, nil, &inherited)
      // Compared as numbers, since functions cannot be.
      let handler = unsafeBitCast(inherited.__sigaction_handler.sa_handler, to: Int.self)
      if signal == SIGHUP && handler == unsafeBitCast(SIG_IGN, to: Int.self) { continue }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { StopRequest.receive($0) }
      // Interrupted system calls go on by themselves.
      action.sa_flags = SA_RESTART
      sigemptyset(&action.sa_mask)
      sigaction(signal, &action, nil)
    }
  }

  /// Lets requests wait for the end of a step, where what was learnt is saved.
  static func waitForSteps() { memory.pointee.waits = 1 }

  private static func receive(_ signal: Int32) {
    let isFirst = memory.pointee.isMade == 0
    memory.pointee.isMade = 1
    if memory.pointee.waits == 0 {
      if memory.pointee.speaks != 0 && !(signal == SIGTERM && memory.pointee.isLaunched != 0) {
        let sentence: StaticString =
          "Stopped before a step was taken, as asked; the same command starts again.\n"
        _ = write(STDERR_FILENO, sentence.utf8Start, sentence.utf8CodeUnitCount)
      }
      _exit(ExitStatus.resumable)
    }
    if !isFirst && signal == SIGINT { _exit(130) }
  }

  /// Whether one of them has arrived.
  public static var isMade: Bool { memory.pointee.isMade != 0 }

  /// Asks this process to stop, as a signal would.
  public static func make() { memory.pointee.isMade = 1 }

  /// Forgets a request: a library that trains twice in one process begins anew.
  public static func withdraw() { memory.pointee.isMade = 0 }

  /// Tells whoever gave the ranks a time to stop in that the run was saved after it was asked to: an
  /// empty file appears where `UNROLL_SAVE_MARK` says.
  static func noteSave() {
    guard isMade, let mark = getenv("UNROLL_SAVE_MARK") else { return }
    let descriptor = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    if descriptor >= 0 { close(descriptor) }
  }
}
