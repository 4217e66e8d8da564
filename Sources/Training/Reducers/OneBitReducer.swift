internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence

/// A sum of the gradients' signs and two means per row, with error feedback (Seide, Fu, Droppo, Li & Yu 2014).
///
/// Of each row of a matrix M = g + e travels one bit per number, with the mean of the numbers that are not
/// negative and the mean of those that are. Every rank adds up these rows of all ranks, in their order. The
/// residual e is the part of M that this rank has not sent. Vectors and the touched rows of embeddings are sent
/// whole, and everything is in the first steps.
///
/// A step in which a number is not finite leaves residuals as they were, and is not taken.
final class OneBitReducer: GradientReducer {
  /// A matrix and the first of its rows' means and signs.
  private struct Signed {
    let entry: ParameterLayout.Entry
    let means: Int
    let signs: Int
    /// The words of a row: the sign of number j is bit j / `width` of word j % `width`, so that the signs of
    /// neighbours are made at once.
    var width: Int { OneBitReducer.width(of: entry) }

    /// Returns the first word of row i.
    func words(_ i: Int) -> Int { signs + i * width }
  }

  private let world: any Communicator
  private let options: OneBitOptions
  private let beginning: SparseRowReducer
  private let parts: GradientParts
  private let matrices: [Signed]
  /// The numbers that are sent whole.
  private let whole: Buffer<Real>
  /// The means of each row: of numbers that are not negative, and of those that are.
  private let means: Buffer<Real>
  /// A bit of 1 for a number that is not negative.
  private let signs: Buffer<UInt32>
  private let residual: ParameterVector
  private(set) var traffic = Traffic()

  init(_ request: ReducerRequest, _ options: OneBitOptions) {
    world = request.world
    self.options = options
    beginning = SparseRowReducer(of: request.layout, over: world)
    let number = MemoryLayout<Real>.stride
    parts = GradientParts(of: request.layout, over: world) {
      4 * Self.width(of: $0) + 2 * number < $0.columns * number
    }
    var matrices: [Signed] = []
    var (meanCount, signCount) = (0, 0)
    for entry in parts.matrices {
      matrices.append(Signed(entry: entry, means: meanCount, signs: signCount))
      meanCount += 2 * entry.rows
      signCount += entry.rows * Self.width(of: entry)
    }
    self.matrices = matrices
    whole = Buffer(count: parts.wholeCount)
    means = Buffer(count: meanCount)
    signs = Buffer(count: signCount)
    residual = ParameterVector(request.layout)
  }

  private static func width(of entry: ParameterLayout.Entry) -> Int { (entry.columns + 31) / 32 }

  var rankTensors: [RankTensor] { [RankTensor("residual", residual, .share)] }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    guard step >= options.start else {
      try beginning.sum(gradient, step: step)
      traffic = beginning.traffic
      return
    }
    let start = ContinuousClock.now
    let first = try parts.sum(gradient, with: whole)
    traffic.bytes = first.bytes
    if !first.isFinite {
      parts.spoil(gradient)
    } else if matrices.count > 0 {
      try sumMatrices(of: gradient)
    }
    traffic.seconds = (ContinuousClock.now - start) / .seconds(1)
  }

  private func sumMatrices(of gradient: ParameterVector) throws(CommunicationError) {
    signs.clear()
    for matrix in matrices {
      let m = gradient[matrix.entry]
      m.add(residual[matrix.entry])
      for i in 0..<m.rows {
        encode(m[i], signs.start + matrix.words(i), matrix.width, means(of: matrix, i))
      }
    }
    let ownMeans = Array(UnsafeRawBufferPointer(means.elements()))
    let ownSigns = Array(UnsafeRawBufferPointer(signs.elements()))
    traffic.bytes += (world.size - 1) * (ownMeans.count + ownSigns.count)
    let allMeans = try world.allGather(ownMeans)
    for other in allMeans {
      load(other)
      guard isFinite(row(means, 0..<means.count)) else { return parts.spoil(gradient) }
    }
    load(ownMeans)
    for matrix in matrices {
      let (m, e) = (gradient[matrix.entry], residual[matrix.entry])
      e.copy(m)
      m.fill(0)
      add(-1, signs.start, of: matrix, to: e)
    }
    for rank in 0..<world.size {
      let words = try world.broadcast(ownSigns, from: rank)
      load(allMeans[rank])
      words.withUnsafeBytes { bytes in
        let words = bytes.baseAddress!.assumingMemoryBound(to: UInt32.self)
        for matrix in matrices { add(1, words, of: matrix, to: gradient[matrix.entry]) }
      }
    }
  }

  /// Adds to a matrix the means in place, chosen by signs, times 1 or −1.
  private func add(
    _ factor: Real, _ words: UnsafePointer<UInt32>, of matrix: Signed, to m: Matrix
  ) {
    for i in 0..<m.rows {
      let mean = means(of: matrix, i)
      decode(words + matrix.words(i), matrix.width, factor * mean[0], factor * mean[1], to: m[i])
    }
  }

  /// Puts the means of a rank in place.
  private func load(_ bytes: [UInt8]) {
    UnsafeMutableRawBufferPointer(means.elements()).copyBytes(from: bytes)
  }

  private func means(of matrix: Signed, _ i: Int) -> Row {
    row(means, matrix.means + 2 * i..<matrix.means + 2 * i + 2)
  }
}

/// Sets the bits of the numbers that are not negative, and computes the mean of those and of the others; the
/// mean of none is zero. A mean is not finite if a number is not.
@inline(never)
private func encode(
  _ row: Row, _ words: UnsafeMutablePointer<UInt32>, _ width: Int, _ means: Row
) {
  let x = row.elements.baseAddress!
  for bit in 0..<(row.count + width - 1) / width {
    let first = bit * width
    for word in 0..<min(width, row.count - first) {
      words[word] |= (x[first + word] < 0 ? 0 : 1) &<< UInt32(bit)
    }
  }
  var ones = 0
  for word in 0..<width { ones += words[word].nonzeroBitCount }
  var above = SIMD16<Real>.zero
  var below = SIMD16<Real>.zero
  let whole = row.count & ~15
  var j = 0
  while j < whole {
    let numbers = UnsafeRawPointer(x + j).loadUnaligned(as: SIMD16<Real>.self)
    let isBelow = numbers .< 0
    above += numbers.replacing(with: 0, where: isBelow)
    below += numbers.replacing(with: 0, where: .!isBelow)
    j += 16
  }
  var (positive, negative) = (above.sum(), below.sum())
  while j < row.count {
    if x[j] < 0 { negative += x[j] } else { positive += x[j] }
    j += 1
  }
  means[0] = positive / Real(max(ones, 1))
  means[1] = negative / Real(max(row.count - ones, 1))
}

/// Adds to each number one of two means, chosen by its bit.
@inline(never)
private func decode(
  _ words: UnsafePointer<UInt32>, _ width: Int, _ positive: Real, _ negative: Real, to row: Row
) {
  let x = row.elements.baseAddress!
  for bit in 0..<(row.count + width - 1) / width {
    let first = bit * width
    for word in 0..<min(width, row.count - first) {
      // Products instead of a choice, so that this becomes vector instructions.
      let one = Real(Int32(truncatingIfNeeded: words[word] &>> UInt32(bit) & 1))
      x[first + word] += one * positive + (1 - one) * negative
    }
  }
}
