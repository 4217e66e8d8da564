internal import COpenMPI
internal import LinearAlgebra

/// An all-reduce with the same bits on every rank, independent of the algorithms that Open MPI
/// chooses: MPI only moves numbers and adds none.
///
/// Terms are added in the order of ranks. Short vectors are sent whole from every rank to every
/// other, and each rank adds them. Of long vectors each rank receives one part from all ranks, adds
/// it and sends the sum to all.
final class OrderedSum: @unchecked Sendable {
  /// The most bytes, over all ranks, that are sent whole; longer vectors are sent in parts.
  private static let smallBytes = 1 << 17

  private let rank, size: Int
  private let pieceBytes: Int
  private let communicator: MPI_Comm?
  /// The numbers received from other ranks.
  private let received: Buffer<UInt8>
  /// The pending requests, two per other rank.
  private let requests: UnsafeMutablePointer<MPI_Request?>

  init(rank: Int, size: Int, pieceBytes: Int, communicator: MPI_Comm?) {
    (self.rank, self.size, self.pieceBytes) = (rank, size, pieceBytes)
    self.communicator = communicator
    // At least one number per rank must fit.
    received = Buffer(count: max(pieceBytes + 8 * size, Self.smallBytes))
    requests = .allocate(capacity: 2 * size)
  }

  deinit { requests.deallocate() }

  /// Replaces every number by its sum over all ranks.
  /// - Parameter inTree: True to add in a binary tree; false to add in the order of ranks.
  func add<Element: FloatingPoint & BitwiseCopyable>(
    _ values: UnsafeMutableBufferPointer<Element>, of type: MPI_Datatype?, inTree: Bool = false
  ) throws(CommunicationError) {
    guard size > 1, let start = values.baseAddress else { return }
    let bytes = MemoryLayout<Element>.stride
    let few = max(Self.smallBytes / bytes / size, 1)
    let piece = pieceBytes / bytes
    var first = 0
    while first < values.count {
      let left = values.count - first
      // With many ranks, the parts may be too small to be worth it.
      let isSmall = left <= few || left < size || piece < size
      let count = min(isSmall ? few : piece, left)
      let numbers = UnsafeMutableBufferPointer(start: start + first, count: count)
      if isSmall {
        try addAll(numbers, of: type, inTree)
      } else {
        try addParts(numbers, of: type, inTree)
      }
      first += count
    }
  }

  /// Receives the whole vectors of all ranks and adds them.
  private func addAll<Element: FloatingPoint & BitwiseCopyable>(
    _ values: UnsafeMutableBufferPointer<Element>, of type: MPI_Datatype?, _ inTree: Bool
  ) throws(CommunicationError) {
    let (count, own) = (values.count, values.baseAddress!)
    let all = UnsafeMutableRawPointer(received.start).assumingMemoryBound(to: Element.self)
    let code = MPI_Allgather(own, Int32(count), type, all, Int32(count), type, communicator)
    try check("MPI_Allgather", code)
    if inTree {
      forEachNode(ofTree: size) { addUp(all + $1 * count, to: all + $0 * count, count) }
    } else {
      for other in 1..<size { addUp(all + other * count, to: all, count) }
    }
    own.update(from: all, count: count)
  }

  /// Adds one part for all ranks and receives the sums of the other parts.
  private func addParts<Element: FloatingPoint & BitwiseCopyable>(
    _ values: UnsafeMutableBufferPointer<Element>, of type: MPI_Datatype?, _ inTree: Bool
  ) throws(CommunicationError) {
    let start = values.baseAddress!
    let width = (values.count - 1) / size + 1
    let terms = UnsafeMutableRawPointer(received.start).assumingMemoryBound(to: Element.self)
    func part(_ rank: Int) -> UnsafeMutableBufferPointer<Element> {
      let first = min(rank * width, values.count)
      return UnsafeMutableBufferPointer(
        start: start + first, count: min(width, values.count - first))
    }
    let own = part(rank)
    try exchange(
      type, send: part,
      receive: { UnsafeMutableBufferPointer(start: terms + $0 * width, count: own.count) })
    let sum = own.baseAddress!
    switch rank {
    case _ where inTree && size > 2:
      (terms + rank * width).update(from: sum, count: own.count)
      forEachNode(ofTree: size) { addUp(terms + $1 * width, to: terms + $0 * width, own.count) }
      sum.update(from: terms, count: own.count)
    case 0, 1:
      // The sum of two terms does not depend on their order.
      for other in 0..<size where other != rank {
        addUp(terms + other * width, to: sum, own.count)
      }
    default:
      for other in 1..<size {
        addUp(other == rank ? sum : terms + other * width, to: terms, own.count)
      }
      sum.update(from: terms, count: own.count)
    }
    try exchange(type, send: { _ in own }, receive: part)
  }

  /// Sends to every other rank and receives from every other rank.
  private func exchange<Element>(
    _ type: MPI_Datatype?, send: (Int) -> UnsafeMutableBufferPointer<Element>,
    receive: (Int) -> UnsafeMutableBufferPointer<Element>
  ) throws(CommunicationError) {
    var open: Int32 = 0
    for distance in 1..<size {
      let (from, to) = ((rank + size - distance) % size, (rank + distance) % size)
      let (incoming, outgoing) = (receive(from), send(to))
      if incoming.count > 0 {
        let code = MPI_Irecv(
          incoming.baseAddress, Int32(incoming.count), type, Int32(from), 0, communicator,
          requests + Int(open))
        try check("MPI_Irecv", code)
        open += 1
      }
      if outgoing.count > 0 {
        let code = MPI_Isend(
          outgoing.baseAddress, Int32(outgoing.count), type, Int32(to), 0, communicator,
          requests + Int(open))
        try check("MPI_Isend", code)
        open += 1
      }
    }
    try check("MPI_Waitall", MPI_Waitall(open, requests, unroll_statuses_ignore()))
  }
}

/// y += x
@inline(never)
func addUp<Element: FloatingPoint & BitwiseCopyable>(
  _ x: UnsafeMutablePointer<Element>, to y: UnsafeMutablePointer<Element>, _ count: Int
) {
  for i in 0..<count { y[i] += x[i] }
}

/// Calls `body` with the places of two terms to add, the sum taking the place of the first, until the
/// first place has the sum of all: each term of the first half and that of the second half that is as far
/// from its start, and so on with the first half.
func forEachNode(ofTree count: Int, _ body: (_ sum: Int, _ term: Int) -> Void) {
  var half = 1
  while 2 * half < count { half *= 2 }
  while half > 0 {
    for place in 0..<max(min(half, count - half), 0) { body(place, place + half) }
    half /= 2
  }
}

extension Collection<Double> {
  /// Returns the sum, added in a binary tree: (a + c) + (b + d) of four.
  public func sumInTree() -> Double {
    var terms = Array(self)
    forEachNode(ofTree: terms.count) { terms[$0] += terms[$1] }
    return terms.first ?? 0
  }
}
