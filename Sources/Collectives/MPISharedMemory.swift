internal import COpenMPI
internal import Glibc

extension MPI {
  /// Makes memory that the ranks of this communicator share.
  ///
  /// The first rank makes a file in memory that has no name, and the others open it through `/proc`. A window
  /// of MPI lies in `/dev/shm` instead, which is too small in most containers, and leaves a file there if the
  /// ranks are killed before it is complete.
  /// - Parameter pause: Called again and again by a rank that waits in a barrier of the memory.
  func makeSharedMemory(
    bytes: Int, pause: @escaping () throws(CommunicationError) -> Void
  ) throws(CommunicationError) -> SharedMemory {
    let alignment = SharedMemory.alignment
    let length = (bytes + alignment - 1) / alignment * alignment
    // The counters of the barrier lie behind all else.
    let whole = length + alignment
    var file = isRoot ? unroll_memory_file(whole) : -1
    var reason = isRoot && file < 0 ? lastError("the system makes no file in memory") : ""
    let place = try broadcast(encode(Int(getpid()), Int(file)), from: 0)
    let (process, number) = decode(place)
    if !isRoot, number >= 0 {
      file = unroll_open_memory_file(Int32(process), Int32(number))
      if file < 0 { reason = lastError("they cannot open each other's files in /proc") }
    }
    var start: UnsafeMutableRawPointer?
    if file >= 0 {
      start = unroll_map_shared(file, whole, alignment)
      if start == nil { reason = lastError("the system has no room for \(whole) bytes") }
    }
    // The file must stay open until all have opened it.
    let reasons = try allGather(Array(reason.utf8)).map { String(decoding: $0, as: UTF8.self) }
    if file >= 0 { close(file) }
    if let reason = reasons.first(where: { !$0.isEmpty }) {
      if let start { munmap(start, whole) }
      throw .noSharedMemory(host: hostName, reason: reason)
    }
    let memory = start!
    let barrier = SharedBarrier(in: memory + length, size: size)
    return SharedMemory(
      memory, bytes: length,
      meet: { () throws(CommunicationError) in try barrier.wait(pause: pause) },
      release: { munmap(memory, whole) })
  }
}

private func lastError(_ what: String) -> String { "\(what) (\(String(cString: strerror(errno))))" }

private func encode(_ a: Int, _ b: Int) -> [UInt8] { withUnsafeBytes(of: (a, b)) { Array($0) } }

private func decode(_ bytes: [UInt8]) -> (Int, Int) {
  bytes.withUnsafeBytes { $0.loadUnaligned(as: (Int, Int).self) }
}
