internal import Glibc

/// The signals that ask a process to stop. They are for the thread that trains.
package enum RequestSignals {
  package static let all = [SIGTERM, SIGINT, SIGUSR1, SIGHUP]

  /// Leaves these signals to the other threads of the process. No other signal is held back: Swift's runtime stops
  /// all threads by one when the process crashes, and waits for each of them.
  package static func leaveToOthers() {
    var requests = sigset_t()
    sigemptyset(&requests)
    for signal in all { sigaddset(&requests, signal) }
    pthread_sigmask(SIG_BLOCK, &requests, nil)
  }
}
