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
  /// The bytes that wait for their receiver.
  private var messages: [Channel: UnsafeRawBufferPointer] = [:]
  /// The meetings of some of these threads, which end when this one does.
  private var parts: [(meeting: Rendezvous, ranks: [Int])] = []
  /// The ranks that take part in nothing any more.
  private var hasLeft: Set<Int> = []
  /// The meeting of all threads, which ends if a rank of this one aborts.
  private weak var whole: Rendezvous?

  /// The way from one rank to another.
  private struct Channel: Hashable { let from, to: Int }

  init(size: Int, partOf whole: Rendezvous? = nil) {
    self.size = size
    self.whole = whole
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

  /// Hands bytes to another rank and returns when it has copied them.
  func send(
    _ bytes: UnsafeRawBufferPointer, from rank: Int, to other: Int
  ) throws(CommunicationError) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if let end = end(of: other) { throw end }
    let channel = Channel(from: rank, to: other)
    messages[channel] = bytes
    pthread_cond_broadcast(changed)
    while messages[channel] != nil {
      if let end = end(of: other) {
        messages[channel] = nil
        throw end
      }
      pthread_cond_wait(changed, mutex)
    }
  }

  /// Waits for bytes of another rank and copies them.
  func receive(
    _ bytes: UnsafeMutableRawBufferPointer, at rank: Int, from other: Int
  ) throws(CommunicationError) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let channel = Channel(from: other, to: rank)
    while true {
      if let message = messages[channel] {
        guard message.count == bytes.count else {
          throw close(
            because: .mismatch(
              rank: other, other: rank,
              operations: "a message of \(message.count) bytes for \(bytes.count)"))
        }
        bytes.copyMemory(from: message)
        messages[channel] = nil
        pthread_cond_broadcast(changed)
        return
      }
      if let end = end(of: other) { throw end }
      pthread_cond_wait(changed, mutex)
    }
  }

  /// The reason why a message from or to a rank cannot arrive; others may have ended.
  private func end(of rank: Int) -> CommunicationError? {
    if case .left = end { return hasLeft.contains(rank) ? .left(rank: rank) : nil }
    return end
  }

  /// Makes a meeting of some of these threads. Called while all of them meet.
  func makePart(of ranks: [Int]) -> Rendezvous {
    let part = Rendezvous(size: ranks.count, partOf: self)
    parts.append((part, ranks))
    return part
  }

  /// Records that a rank will take part in no further collective.
  func leave(rank: Int) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    hasLeft.insert(rank)
    if end == nil { end = .left(rank: rank) }
    pthread_cond_broadcast(changed)
    for (part, ranks) in parts {
      if let place = ranks.firstIndex(of: rank) { part.leave(rank: place) }
    }
  }

  /// Ends all further collectives and wakes the waiting threads; the first reason is kept.
  func end(because reason: CommunicationError) -> CommunicationError {
    // The whole first: it ends its parts while it holds its own lock.
    if let whole { return whole.end(because: reason) }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return close(because: reason)
  }

  private func close(because reason: CommunicationError) -> CommunicationError {
    if end == nil { end = reason }
    pthread_cond_broadcast(changed)
    for (part, _) in parts { part.closeAsPart(because: reason) }
    return reason
  }

  private func closeAsPart(because reason: CommunicationError) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    _ = close(because: reason)
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
