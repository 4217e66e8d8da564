internal import Glibc

/// Whether somebody has asked this process to stop: SIGTERM, SIGINT, SIGUSR1, or SIGHUP of a terminal
/// that is gone, unless it was started to outlive it (nohup).
///
/// The handler only sets a flag. The trainer adds it to the tally of each step, so that all ranks learn
/// of it at the same step, save and leave with exit code 75. A second SIGINT ends the process at once.
public enum StopRequest {
  // A signal handler can reach nothing but global memory.
  nonisolated(unsafe) private static let flag: UnsafeMutablePointer<sig_atomic_t> = {
    let flag = UnsafeMutablePointer<sig_atomic_t>.allocate(capacity: 1)
    flag.initialize(to: 0)
    return flag
  }()

  /// Catches these signals from now on.
  public static func listen() {
    _ = flag.pointee
    // Whoever watched the run and is gone does not end it.
    signal(SIGPIPE, SIG_IGN)
    for signal in [SIGTERM, SIGINT, SIGUSR1, SIGHUP] {
      var inherited = sigaction()
      sigaction(signal, nil, &inherited)
      // Compared as numbers, since functions cannot be.
      let handler = unsafeBitCast(inherited.__sigaction_handler.sa_handler, to: Int.self)
      if signal == SIGHUP && handler == unsafeBitCast(SIG_IGN, to: Int.self) { continue }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { signal in
        if StopRequest.flag.pointee != 0 && signal == SIGINT { _exit(130) }
        StopRequest.flag.pointee = 1
      }
      // Interrupted system calls go on by themselves.
      action.sa_flags = SA_RESTART
      sigemptyset(&action.sa_mask)
      sigaction(signal, &action, nil)
    }
  }

  /// Whether one of them has arrived.
  public static var isMade: Bool { flag.pointee != 0 }

  /// Asks this process to stop, as a signal would.
  public static func make() { flag.pointee = 1 }

  /// Forgets a request: a library that trains twice in one process begins anew.
  public static func withdraw() { flag.pointee = 0 }
}
