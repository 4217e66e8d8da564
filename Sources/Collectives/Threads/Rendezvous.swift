internal import Glibc

/// The data that a rank contributes to a collective of threads.
struct Share {
  var operation: StaticString
  /// The number that must be the same on all ranks: the number of elements, or the root.
  var number = 0
  var memory: UnsafeMutableRawPointer?
}

/// The point where threads meet for a collective. The last thread to arrive does the work for all.
final class Rendezvous: @unchecked Sendable {
  private let size: Int
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  // The mutex guards everything below.
  private let shares: UnsafeMutableBufferPointer<Share>
  private var arrived = 0
  private var completed = 0
  /// The reason why no further collective can complete.
  private var end: CommunicationError?

  init(size: Int) {
    self.size = size
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
    shares = .allocate(capacity: size)
    shares.initialize(repeating: Share(operation: "nothing"))
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    shares.deallocate()
    changed.deallocate()
    mutex.deallocate()
  }

  /// Waits until every rank has contributed its share. `work` is called once, by the last rank to
  /// arrive, and may use the memory of all ranks.
  func meet(
    rank: Int, bringing share: Share, _ work: (UnsafeBufferPointer<Share>) -> Void
  ) throws(CommunicationError) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if let end { throw end }
    shares[rank] = share
    arrived += 1
    if arrived == size {
      if let mismatch { throw close(because: mismatch) }
      work(UnsafeBufferPointer(shares))
      arrived = 0
      completed += 1
      pthread_cond_broadcast(changed)
      return
    }
    let current = completed
    while completed == current {
      if let end { throw end }
      pthread_cond_wait(changed, mutex)
    }
  }

  /// Records that a rank will take part in no further collective.
  func leave(rank: Int) { _ = end(because: .left(rank: rank)) }

  /// Ends all further collectives and wakes the waiting threads; the first reason is kept.
  func end(because reason: CommunicationError) -> CommunicationError {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return close(because: reason)
  }

  private func close(because reason: CommunicationError) -> CommunicationError {
    if end == nil { end = reason }
    pthread_cond_broadcast(changed)
    return reason
  }

  /// The error for the first rank whose collective differs from rank 0's.
  private var mismatch: CommunicationError? {
    let expected = shares[0]
    for (rank, share) in shares.enumerated() {
      if name(share) != name(expected) || share.number != expected.number {
        return .mismatch(
          rank: 0, other: rank,
          operations:
            "\(expected.operation) \(expected.number) and \(share.operation) \(share.number)")
      }
    }
    return nil
  }

  /// Literals are compared by address, because each operation's name is written in one place.
  private func name(_ share: Share) -> UnsafePointer<UInt8> { share.operation.utf8Start }
}
