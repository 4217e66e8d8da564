import Collectives
import Configuration
import LinearAlgebra
import Recurrence
import Training

/// Gradients of a small model on one rank, step by step, and their sums by a compression.
final class CompressedGradients {
  static let tableRows = 130
  static let layout: ParameterLayout = {
    var plan = Plan()
    _ = plan.parameter("table", from: 3, to: tableRows, pytorch: .zero, isRowSparse: true)
    _ = plan.parameter("wide", from: 83, to: 24, pytorch: .zero)
    _ = plan.vector("bias", count: 11, pytorch: .zero)
    _ = plan.parameter("tall", from: 32, to: 71, pytorch: .zero)
    _ = plan.parameter("small", from: 3, to: 2, pytorch: .zero)
    return ParameterLayout(plan)
  }()
  /// The parameters that every compression of few numbers compresses.
  static let matrices = ["wide", "tall"].map { layout.entry(named: $0)! }

  let world: any Communicator
  let reducer: any GradientReducer
  let gradient = ParameterVector(layout)
  /// The sums over steps of what all ranks have given, and of what came back.
  private(set) var given = [Double](repeating: 0, count: layout.count)
  private(set) var returned = [Double](repeating: 0, count: layout.count)
  /// The gradients of all ranks in the last step, summed.
  private(set) var latest = [Double](repeating: 0, count: layout.count)
  /// False after a step in which the ranks got different bits.
  private(set) var isUnanimous = true

  init(_ world: any Communicator, _ compression: CompressionOptions) {
    self.world = world
    var options = CommunicationOptions()
    options.compression = compression
    reducer = makeGradientReducer(ReducerRequest(gradient, world, options))
  }

  /// Takes a step with a value for each number of the matrices and vectors, and of a few rows of the table
  /// that differ between ranks.
  /// - Parameter counts: False for a step of which nothing is to come back.
  func take(
    step: Int, counts: Bool = true, _ value: (ParameterLayout.Entry, Int, Int) -> Float
  ) throws {
    gradient.clear()
    for entry in Self.layout.entries {
      guard let touched = gradient.touchedRows(entry.parameter) else {
        for i in 0..<entry.rows {
          for j in 0..<entry.columns { gradient[entry][i, j] = value(entry, i, j) }
        }
        continue
      }
      for row in [0, 5 * world.rank + 1 + step % 60, 128] {
        touched.insert(row)
        for j in 0..<entry.columns { gradient[entry][row, j] = value(entry, row, j) }
      }
    }
    latest = gradient.buffer.elements().map { Double($0) }
    try world.sum(&latest)
    try reducer.sum(gradient, step: step)
    let numbers = gradient.buffer.elements()
    if try world.agree(on: Array(UnsafeRawBufferPointer(numbers))) != .unanimous {
      isUnanimous = false
    }
    guard counts else { return }
    for place in numbers.indices {
      given[place] += latest[place]
      returned[place] += Double(numbers[place])
    }
  }

  /// Returns the sum over ranks of what they keep for later.
  func kept() throws -> [Double] {
    guard let tensor = reducer.rankTensors.first(where: { $0.name == "residual" }) else {
      return [Double](repeating: 0, count: Self.layout.count)
    }
    var sum = tensor.vector.buffer.elements().map { Double($0) }
    try world.sum(&sum)
    return sum
  }

  /// Returns the largest difference between what was given and what has come back or is kept.
  func loss() throws -> Double {
    let kept = try kept()
    return given.indices.map { abs(given[$0] - returned[$0] - kept[$0]) }.max()!
  }

  /// Returns the largest difference between the sum of the last step and what came back.
  func error() -> Double {
    zip(latest, gradient.buffer.elements()).map { abs($0 - Double($1)) }.max()!
  }

  /// Returns a random number between −½ and ½ for each place, rank and step.
  static func noise(
    _ entry: ParameterLayout.Entry, _ i: Int, _ j: Int, rank: Int, step: Int
  ) -> Float {
    let random = Philox(seed: UInt64(1 + rank), name: entry.name)
    return Float(random.uniform(UInt64((step * entry.rows + i) * entry.columns + j)) - 0.5)
  }
}

extension CompressionOptions {
  static func powerSGD(rank: Int, start: Int = 0) -> CompressionOptions {
    var options = PowerSGDOptions()
    (options.rank, options.start) = (rank, start)
    return .powerSGD(options)
  }

  static func topK(share: Double, momentum: Double = 0, warmup: Int = 0) -> CompressionOptions {
    var options = TopKOptions()
    (options.share, options.momentum, options.warmup) = (share, momentum, warmup)
    return .topK(options)
  }

  static func oneBit(start: Int = 0) -> CompressionOptions {
    var options = OneBitOptions()
    options.start = start
    return .oneBit(options)
  }
}
