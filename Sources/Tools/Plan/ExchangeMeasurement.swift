internal import Collectives
internal import Foundation
internal import LinearAlgebra

/// The costs of sums over the ranks of a world besides latency and bandwidth, found by making some.
struct ExchangeMeasurement {
  /// The seconds of a sum of one piece that all ranks wait for.
  var piece = 0.0
  /// The seconds of a long sum in buckets that travel at the same time.
  var bucket = 0.0
  /// The seconds of the core that a rank loses to one such bucket while it computes.
  var stolen = 0.0
  /// The seconds of a sum of few numbers that travels beside many others.
  var message = 0.0

  /// The numbers of a piece and of a bucket, as `OrderedSum` and `LayerwiseReducer` cut them.
  static let (pieceCount, bucketCount) = (1 << 19, 1 << 20)
  private static let small = 64
  private static let repetitions = 5

  /// Makes sums. Collective.
  init(in world: any Communicator) throws {
    // Several pieces, because a limited line lets a first burst pass at once.
    let pieces = 4
    let memory = Buffer<Real>(count: pieces * Self.pieceCount)
    try world.sum(memory.elements())
    piece =
      try Self.median { try Self.seconds(in: world) { try world.sum(memory.elements()) } }
      / Double(pieces)
    let values = Buffer<Real>(count: 4 * Self.bucketCount)
    let sums = (0..<4).map {
      world.makeSum(
        of: values.elements(from: $0 * Self.bucketCount, count: Self.bucketCount), wire: .float32)
    }
    func start() throws { for sum in sums { try sum.start(count: Self.bucketCount) } }
    func wait() throws { for sum in sums { try sum.wait() } }
    try start()
    try wait()
    let whole = try Self.median {
      try Self.seconds(in: world) {
        try start()
        try wait()
      }
    }
    bucket = whole / Double(sums.count)
    stolen = try Self.stolen(beside: whole, in: world, start, wait) / Double(sums.count)
    message = try Self.short(in: world)
  }

  /// Returns how much longer some products take while sums are under way.
  private static func stolen(
    beside whole: Double, in world: any Communicator, _ start: () throws -> Void,
    _ wait: () throws -> Void
  ) throws -> Double {
    let load = Load()
    load.run(4)
    let once = try seconds(in: world) { load.run(4) } / 4
    // Long enough that all sums are complete before the products are.
    let count = max(Int(2 * whole / once), 4)
    return try median(of: whole > 0.3 ? 1 : repetitions) {
      let alone = try seconds(in: world) { load.run(count) }
      let beside = try seconds(in: world) {
        try start()
        load.run(count)
      }
      try wait()
      return beside - alone
    }
  }

  /// Returns the time of one of many short sums.
  private static func short(in world: any Communicator) throws -> Double {
    let count = 2 * world.size
    let values = Buffer<Real>(count: count * small)
    let sums = (0..<small).map {
      world.makeSum(of: values.elements(from: $0 * count, count: count), wire: .float32)
    }
    func run() throws {
      for sum in sums { try sum.start(count: count) }
      for sum in sums { try sum.wait() }
    }
    try run()
    return try median { try seconds(in: world, run) } / Double(small)
  }

  /// Returns the median of a few measurements, or the first one if it takes long. Every rank gets the same
  /// times, and so makes as many.
  private static func median(_ body: () throws -> Double) throws -> Double {
    let first = try body()
    return first > 0.3 ? first : try median(of: repetitions, body)
  }

  private static func median(of count: Int, _ body: () throws -> Double) throws -> Double {
    var all: [Double] = []
    for _ in 0..<count { all.append(try body()) }
    return all.sorted()[count / 2]
  }

  /// Returns the seconds of the slowest rank. Collective.
  private static func seconds(
    in world: any Communicator, _ body: () throws -> Void
  ) throws -> Double {
    try world.barrier()
    let clock = ContinuousClock()
    let start = clock.now
    try body()
    var seconds = [(clock.now - start) / .seconds(1)]
    try world.max(&seconds)
    return seconds[0]
  }

  /// Products that keep a core busy.
  private final class Load {
    private let (a, w, c) = (
      Buffer<Real>(count: 20 * 650), Buffer<Real>(count: 650 * 650), Buffer<Real>(count: 20 * 650)
    )

    func run(_ count: Int) {
      let x = Matrix(a, rows: 20, columns: 650)
      let weights = Matrix(w, rows: 650, columns: 650)
      let y = Matrix(c, rows: 20, columns: 650)
      for _ in 0..<count { y.addProduct(x, weights) }
    }
  }
}
