internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence

/// A sum of the largest numbers of each rank's matrices, with the rest kept for later steps (deep gradient
/// compression; Lin, Han, Mao, Wang & Dally 2018).
///
///     u ← m u + g,   v ← v + u
///
/// The numbers of v with the largest absolute values are sent with their indices, and there u and v become
/// zero; m is the momentum. Every rank adds up the numbers of all ranks, in their order. The share that is
/// sent falls from 1/4 during the warm-up. Vectors and the touched rows of embeddings are sent whole.
///
/// A step in which a number is not finite leaves u and v as they were, and is not taken.
final class TopKReducer: GradientReducer {
  private let world: any Communicator
  private let options: TopKOptions
  private let parts: GradientParts
  /// NaN if this rank has a number that is not finite, else zero; then the numbers that are sent whole.
  private let whole: Buffer<Real>
  /// u; nil without momentum, when it is g.
  private let momentum: ParameterVector?
  /// v
  private let residual: ParameterVector
  private var selection = LargestNumbers()
  private var message: [UInt8] = []
  private(set) var traffic = Traffic()

  init(_ request: ReducerRequest, _ options: TopKOptions) {
    world = request.world
    self.options = options
    parts = GradientParts(of: request.layout, over: world) { $0.count <= UInt32.max }
    whole = Buffer(count: 1 + parts.wholeCount)
    momentum = options.momentum > 0 ? ParameterVector(request.layout) : nil
    residual = ParameterVector(request.layout)
  }

  var rankTensors: [RankTensor] {
    [RankTensor("residual", residual, .share)]
      + (momentum.map { [RankTensor("momentum", $0, .share)] } ?? [])
  }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    let start = ContinuousClock.now
    let isOwnFinite = parts.matrices.allSatisfy { isFinite(row(gradient.buffer, $0.range)) }
    whole.start[0] = isOwnFinite ? 0 : .nan
    let first = try parts.sum(gradient, with: whole)
    traffic.bytes = first.bytes
    if !first.isFinite {
      parts.spoil(gradient)
    } else {
      select(from: gradient, share: options.share(at: step))
      traffic.bytes += (world.size - 1) * message.count
      for rank in 0..<world.size { add(try world.broadcast(message, from: rank), to: gradient) }
    }
    traffic.seconds = (ContinuousClock.now - start) / .seconds(1)
  }

  /// Updates u and v, clears the gradient, and moves the largest numbers of v into the message: of each
  /// matrix their count, indices and values.
  private func select(from gradient: ParameterVector, share: Double) {
    message.removeAll(keepingCapacity: true)
    for entry in parts.matrices {
      let (g, v) = (row(gradient.buffer, entry.range), row(residual.buffer, entry.range))
      let u = momentum.map { row($0.buffer, entry.range) }
      if let u { accumulate(g, into: u, Real(options.momentum)) }
      v.add(u ?? g)
      g.fill(0)
      let most = Int((share * Double(entry.count)).rounded(.up))
      selection.find(min(most, entry.count), in: v)
      withUnsafeBytes(of: UInt32(selection.indices.count)) { message += $0 }
      selection.indices.withUnsafeBytes { message += $0 }
      for index in selection.indices {
        withUnsafeBytes(of: v[Int(index)]) { message += $0 }
        v[Int(index)] = 0
        u?[Int(index)] = 0
      }
    }
  }

  /// Adds the numbers of a rank's message.
  private func add(_ message: [UInt8], to gradient: ParameterVector) {
    message.withUnsafeBytes { bytes in
      var place = 0
      func read<Value: BitwiseCopyable>(_: Value.Type, at place: Int) -> Value {
        bytes.loadUnaligned(fromByteOffset: place, as: Value.self)
      }
      for entry in parts.matrices {
        let g = row(gradient.buffer, entry.range)
        let count = Int(read(UInt32.self, at: place))
        let values = place + 4 + 4 * count
        for i in 0..<count {
          let index = Int(read(UInt32.self, at: place + 4 + 4 * i))
          g[index] += read(Real.self, at: values + MemoryLayout<Real>.stride * i)
        }
        place = values + MemoryLayout<Real>.stride * count
      }
    }
  }
}

extension TopKOptions {
  /// Returns the share of numbers that is sent after so many steps.
  func share(at step: Int) -> Double {
    guard step < warmup, share < 0.25 else { return share }
    return 0.25 * power(share / 0.25, Double(step) / Double(warmup))
  }
}

/// A search for the numbers of a row with the largest absolute values, with its memory.
struct LargestNumbers {
  /// The indices that were found last, in rising order.
  private(set) var indices: [UInt32] = []
  private var magnitudes: [Real] = []

  private static let sampleCount = 4096

  /// Finds the `count` numbers that are largest in absolute value, or those that are not zero if there are
  /// fewer. Of equal numbers the first ones count as larger. No number may be NaN.
  mutating func find(_ count: Int, in row: Row) {
    // A sample tells which numbers are too small, so that only a few are compared exactly.
    collect(row, atLeast: lowerBound(of: count, in: row))
    if indices.count < count { collect(row, atLeast: 0) }
    guard indices.count > count else { return }
    magnitudes.removeAll(keepingCapacity: true)
    for index in indices { magnitudes.append(abs(row[Int(index)])) }
    let limit = largest(count, of: &magnitudes)
    var equal = count
    for index in indices where abs(row[Int(index)]) > limit { equal -= 1 }
    indices.removeAll { index in
      let size = abs(row[Int(index)])
      if size == limit { equal -= 1 }
      return size < limit || size == limit && equal < 0
    }
  }

  /// Returns a number that probably more than `count` numbers reach, but not many more.
  private mutating func lowerBound(of count: Int, in row: Row) -> Real {
    let stride = row.count / Self.sampleCount
    guard stride > 1 else { return 0 }
    magnitudes.removeAll(keepingCapacity: true)
    // The step from one to the next varies, so that the sample is not of a few columns.
    for block in 0..<Self.sampleCount {
      magnitudes.append(abs(row[block * stride + block * 7919 % stride]))
    }
    let expected = Double(count) / Double(stride)
    let place = Int(expected + 3 * expected.squareRoot()) + 4
    return place < Self.sampleCount ? largest(place, of: &magnitudes) : 0
  }

  /// Collects the indices of numbers that are not zero and at least `bound` in absolute value.
  private mutating func collect(_ row: Row, atLeast bound: Real) {
    indices.removeAll(keepingCapacity: true)
    let bound = Swift.max(bound, .leastNonzeroMagnitude)
    let block = 64
    for first in stride(from: 0, to: row.count, by: block) {
      let part = first..<Swift.min(first + block, row.count)
      if reaches(row[part], bound) {
        for j in part where abs(row[j]) >= bound { indices.append(UInt32(j)) }
      }
    }
  }
}

/// Returns true if an absolute value is at least `bound`.
@inline(never) private func reaches(_ row: Row, _ bound: Real) -> Bool {
  var found: Int32 = 0
  for j in 0..<row.count { found |= abs(row[j]) >= bound ? 1 : 0 }
  return found != 0
}

/// u ← m u + g
@inline(never) private func accumulate(_ g: Row, into u: Row, _ momentum: Real) {
  for j in 0..<u.count { u[j] = momentum * u[j] + g[j] }
}

/// Returns the number that is in place `count`, from 1, in falling order; changes the order (quickselect; Hoare
/// 1961).
private func largest(_ count: Int, of numbers: inout [Real]) -> Real {
  numbers.withUnsafeMutableBufferPointer { numbers in
    let place = count - 1
    var (low, high) = (0, numbers.count - 1)
    while low < high {
      let pivot = numbers[low + (high - low) / 2]
      var (i, j) = (low, high)
      while i <= j {
        while numbers[i] > pivot { i += 1 }
        while numbers[j] < pivot { j -= 1 }
        if i <= j {
          numbers.swapAt(i, j)
          i += 1
          j -= 1
        }
      }
      if place <= j {
        high = j
      } else if place >= i {
        low = i
      } else {
        break
      }
    }
    return numbers[place]
  }
}
