internal import Glibc

/// A thread that moves nonblocking sums on while their rank computes.
///
/// Open MPI moves messages only inside its own calls. As long as sums are under way, the thread makes such
/// calls every half millisecond and sleeps in between, so that it takes little time from the rank, with which
/// it shares a core. It ends with the process.
///
/// Calls to MPI must not overlap: whoever makes one holds the lock. A rank that waits for others in a call
/// holds it meanwhile, so ranks must reach the same call without waiting for a sum.
final class SumProgress: @unchecked Sendable {
  private static let pause = timespec(tv_sec: 0, tv_nsec: 500_000)

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let hasWork = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  // The mutex guards everything below.
  private var sums: [NonblockingSum] = []
  /// The first error of the thread, which the next wait throws.
  private var failure: CommunicationError?
  private var hasThread = false

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(hasWork, nil)
  }

  /// Calls `body`, which may call MPI and wait in it for other ranks.
  func exclusively<Value>(
    _ body: () throws(CommunicationError) -> Value
  ) throws(CommunicationError) -> Value {
    RankActivity.current.wait()
    defer { RankActivity.current.advance() }
    return try locked(body)
  }

  private func locked<Value>(
    _ body: () throws(CommunicationError) -> Value
  ) throws(CommunicationError) -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Starts a sum and moves it on until it is complete.
  func start(_ sum: NonblockingSum, count: Int) throws(CommunicationError) {
    try exclusively { () throws(CommunicationError) in
      if let failure { throw failure }
      try sum.begin(count: count)
      if sum.isComplete { return }
      if sums.isEmpty { pthread_cond_signal(hasWork) }
      sums.append(sum)
      startThread()
    }
  }

  /// Makes calls to MPI until `isDone` returns true, and moves all sums on meanwhile.
  /// - Parameter pause: The time to sleep between two calls; nil for none.
  func wait(
    pausing pause: timespec? = nil, until isDone: () throws(CommunicationError) -> Bool
  ) throws(CommunicationError) {
    RankActivity.current.wait()
    while true {
      let isDone = try locked { () throws(CommunicationError) in
        if let failure { throw failure }
        try advanceAll()
        return try isDone()
      }
      if isDone { break }
      if var pause { nanosleep(&pause, nil) }
    }
    RankActivity.current.advance()
  }

  /// Moves all sums on as far as they can go, for a rank that waits for others.
  func advance() throws(CommunicationError) {
    RankActivity.current.wait()
    try locked { () throws(CommunicationError) in
      if let failure { throw failure }
      try advanceAll()
    }
  }

  private func advanceAll() throws(CommunicationError) {
    var index = 0
    while index < sums.count {
      if try sums[index].proceed() { sums.remove(at: index) } else { index += 1 }
    }
  }

  private func startThread() {
    guard !hasThread else { return }
    hasThread = true
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { progress in
        RequestSignals.leaveToOthers()
        Unmanaged<SumProgress>.fromOpaque(progress!).takeUnretainedValue().run()
      }, Unmanaged.passRetained(self).toOpaque())
    // Without the thread sums proceed only where a rank waits for them.
    if code == 0 { pthread_detach(thread) }
  }

  private func run() -> Never {
    while true {
      pthread_mutex_lock(mutex)
      while sums.isEmpty || failure != nil { pthread_cond_wait(hasWork, mutex) }
      do throws(CommunicationError) {
        try advanceAll()
      } catch {
        failure = error
      }
      pthread_mutex_unlock(mutex)
      var pause = Self.pause
      nanosleep(&pause, nil)
    }
  }
}
