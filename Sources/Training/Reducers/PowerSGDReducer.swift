internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence

/// A sum of low-rank approximations of the gradient's matrices, with error feedback (PowerSGD; Vogels,
/// Karimireddy & Jaggi 2019).
///
/// Of a matrix of n × m numbers, two factors travel, P of n × r and Q of m × r:
///
///     M = g + e,   P = Σ M Q, made orthonormal,   Q = Σ Mᵀ P,   ĝ = P Qᵀ,   e ← M − P Pᵀ M
///
/// Sums are over ranks; e is the residual of this rank, so that the residuals of all ranks add up to Σ M − ĝ
/// and nothing is lost. One subspace iteration per step suffices, because each begins with the last Q, made
/// orthonormal. Matrices that would shrink to more than half are sent whole, as are vectors and the touched
/// rows of embeddings, and everything in the first steps.
///
/// A step in which a number is not finite leaves residuals and factors as they were, and is not taken.
final class PowerSGDReducer: GradientReducer {
  /// A matrix and the first numbers of its factors.
  private struct Factored {
    let entry: ParameterLayout.Entry
    let left: Int
    let right: Int
  }

  private let world: any Communicator
  private let options: PowerSGDOptions
  private let beginning: SparseRowReducer
  private let parts: GradientParts
  private let matrices: [Factored]
  /// Pᵀ of all matrices, r × n numbers each, then the numbers that are sent whole.
  private let left: Buffer<Real>
  /// Qᵀ of all matrices, r × m numbers each: Mᵀ P of this rank, and the sum of all ranks.
  private let ownRight: Buffer<Real>
  private let right: Buffer<Real>
  /// Qᵀ of every matrix at the first r × m numbers of its own place, for the next step.
  private let factors: ParameterVector
  private let residual: ParameterVector
  private(set) var traffic = Traffic()

  init(_ request: ReducerRequest, _ options: PowerSGDOptions) {
    let (layout, rank) = (request.layout, options.rank)
    world = request.world
    self.options = options
    beginning = SparseRowReducer(of: layout, over: world)
    parts = GradientParts(of: layout, over: world) {
      2 * rank * ($0.rows + $0.columns) < $0.count
    }
    var matrices: [Factored] = []
    var (leftCount, rightCount) = (0, 0)
    for entry in parts.matrices {
      matrices.append(Factored(entry: entry, left: leftCount, right: rightCount))
      leftCount += rank * entry.rows
      rightCount += rank * entry.columns
    }
    self.matrices = matrices
    left = Buffer(count: leftCount + parts.wholeCount)
    ownRight = Buffer(count: rightCount)
    right = Buffer(count: rightCount)
    factors = ParameterVector(layout)
    residual = ParameterVector(layout)
    // Zeros become random directions.
    for matrix in matrices { orthonormalize(factor(of: matrix), name: matrix.entry.name) }
  }

  var stateTensors: [(name: String, vector: ParameterVector)] { [("factors", factors)] }
  var rankTensors: [RankTensor] { [RankTensor("residual", residual, .share)] }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    guard step >= options.start else {
      try beginning.sum(gradient, step: step)
      traffic = beginning.traffic
      return
    }
    let start = ContinuousClock.now
    for matrix in matrices {
      let m = gradient[matrix.entry]
      project(m, adding: residual[matrix.entry], on: factor(of: matrix), into: left(of: matrix))
    }
    let first = try parts.sum(gradient, with: left)
    traffic.bytes = first.bytes
    let areFinite = first.isFinite ? try sumRight(of: gradient) : false
    if areFinite {
      for matrix in matrices {
        split(
          gradient[matrix.entry], residual[matrix.entry], left(of: matrix),
          own: right(of: matrix, in: ownRight), sum: right(of: matrix, in: right))
        let factor = factor(of: matrix)
        factor.copy(right(of: matrix, in: right))
        orthonormalize(factor, name: matrix.entry.name)
      }
    } else {
      parts.spoil(gradient)
    }
    traffic.seconds = (ContinuousClock.now - start) / .seconds(1)
  }

  /// Makes P orthonormal, and computes Mᵀ P of this rank and the sum of all ranks.
  /// - Returns: False if a number is not finite, on every rank.
  private func sumRight(of gradient: ParameterVector) throws(CommunicationError) -> Bool {
    ownRight.clear()
    for matrix in matrices {
      orthonormalize(left(of: matrix), name: matrix.entry.name)
      accumulate(
        gradient[matrix.entry], left(of: matrix), into: right(of: matrix, in: ownRight))
    }
    right.copy(from: ownRight)
    try world.sum(right)
    traffic.bytes += world.bytesSent(summing: right.count * MemoryLayout<Real>.stride)
    return isFinite(row(right, 0..<right.count))
  }

  private func left(of matrix: Factored) -> Matrix {
    Matrix(left, offset: matrix.left, rows: options.rank, columns: matrix.entry.rows)
  }

  private func right(of matrix: Factored, in buffer: Buffer<Real>) -> Matrix {
    Matrix(buffer, offset: matrix.right, rows: options.rank, columns: matrix.entry.columns)
  }

  private func factor(of matrix: Factored) -> Matrix {
    Matrix(
      factors.buffer, offset: matrix.entry.offset, rows: options.rank,
      columns: matrix.entry.columns)
  }
}

/// Makes the rows of a matrix orthonormal, one after another (Gram–Schmidt, each row twice). A row that is
/// zero, or depends on those before it, becomes a random one, the same on all ranks.
private func orthonormalize(_ rows: Matrix, name: String) {
  let random = Philox(seed: 0, name: name)
  for k in 0..<rows.rows {
    let row = rows[k]
    let before = row.squaredNorm.squareRoot()
    removeProjections(of: row, on: rows, k)
    var length = row.squaredNorm.squareRoot()
    if !(length > Swift.max(100 * Double(Real.ulpOfOne) * before, 1e-30)) {
      random.fillNormal(row, from: UInt64(k * rows.columns), scale: 1)
      removeProjections(of: row, on: rows, k)
      length = row.squaredNorm.squareRoot()
    }
    row.scale(by: Real(1 / length))
    removeProjections(of: row, on: rows, k)
    row.scale(by: Real(1 / row.squaredNorm.squareRoot()))
  }
}

/// Subtracts from a row its projections on the first `count` rows of a matrix, which are orthonormal.
private func removeProjections(of row: Row, on rows: Matrix, _ count: Int) {
  for i in 0..<count { addScaled(rows[i], -row.dot(rows[i]), to: row) }
}

// The passes over a matrix. Each reads memory once: every row is in the cache while four columns of the
// factors at a time are computed.

/// M ← M + e, P = M Q
private func project(_ m: Matrix, adding e: Matrix, on q: Matrix, into p: Matrix) {
  for i in 0..<m.rows {
    m[i].add(e[i])
    var k = 0
    while k + 4 <= q.rows {
      let products = dotFour(m[i], Four(q, k))
      for lane in 0..<4 { p[k + lane, i] = products[lane] }
      k += 4
    }
    while k < q.rows {
      p[k, i] = m[i].dot(q[k])
      k += 1
    }
  }
}

/// Q ← Q + Mᵀ P
private func accumulate(_ m: Matrix, _ p: Matrix, into q: Matrix) {
  for i in 0..<m.rows {
    var k = 0
    while k + 4 <= q.rows {
      addToFour(m[i], factors(p, k, i), Four(q, k))
      k += 4
    }
    while k < q.rows {
      addScaled(m[i], p[k, i], to: q[k])
      k += 1
    }
  }
}

/// e = M − P Q′ᵀ, M ← P Qᵀ, with the own Q′ of this rank and the sum Q of all
private func split(_ m: Matrix, _ e: Matrix, _ p: Matrix, own: Matrix, sum: Matrix) {
  for i in 0..<m.rows {
    e[i].copy(m[i])
    m[i].fill(0)
    var k = 0
    while k + 4 <= sum.rows {
      subtractAndAddFour(factors(p, k, i), Four(own, k), from: e[i], Four(sum, k), to: m[i])
      k += 4
    }
    while k < sum.rows {
      addScaled(own[k], -p[k, i], to: e[i])
      addScaled(sum[k], p[k, i], to: m[i])
      k += 1
    }
  }
}

/// Returns element i of four rows.
@inline(__always) private func factors(_ p: Matrix, _ k: Int, _ i: Int) -> SIMD4<Real> {
  SIMD4(p[k, i], p[k + 1, i], p[k + 2, i], p[k + 3, i])
}

/// Four neighbouring rows.
private struct Four {
  let a, b, c, d: UnsafeMutablePointer<Real>

  @inline(__always) init(_ q: Matrix, _ k: Int) {
    a = q[k].elements.baseAddress!
    b = q[k + 1].elements.baseAddress!
    c = q[k + 2].elements.baseAddress!
    d = q[k + 3].elements.baseAddress!
  }
}

@inline(__always)
private func load(_ x: UnsafeMutablePointer<Real>, _ j: Int) -> SIMD16<Real> {
  UnsafeRawPointer(x + j).loadUnaligned(as: SIMD16<Real>.self)
}

@inline(__always)
private func store(_ numbers: SIMD16<Real>, _ x: UnsafeMutablePointer<Real>, _ j: Int) {
  UnsafeMutableRawPointer(x + j).storeBytes(of: numbers, as: SIMD16<Real>.self)
}

/// Returns the products of a row with four others.
@inline(never) private func dotFour(_ row: Row, _ q: Four) -> SIMD4<Real> {
  let x = row.elements.baseAddress!
  var a = SIMD16<Real>.zero
  var (b, c, d) = (a, a, a)
  let whole = row.count & ~15
  var j = 0
  while j < whole {
    let numbers = load(x, j)
    a += numbers * load(q.a, j)
    b += numbers * load(q.b, j)
    c += numbers * load(q.c, j)
    d += numbers * load(q.d, j)
    j += 16
  }
  var products = SIMD4(folded(a), folded(b), folded(c), folded(d))
  while j < row.count {
    products += x[j] * SIMD4(q.a[j], q.b[j], q.c[j], q.d[j])
    j += 1
  }
  return products
}

@inline(__always) private func folded(_ lanes: SIMD16<Real>) -> Real {
  let eight = lanes.lowHalf + lanes.highHalf
  let four = eight.lowHalf + eight.highHalf
  let two = four.lowHalf + four.highHalf
  return two[0] + two[1]
}

/// qₖ ← qₖ + pₖ x
@inline(never) private func addToFour(_ row: Row, _ p: SIMD4<Real>, _ q: Four) {
  let x = row.elements.baseAddress!
  let whole = row.count & ~15
  var j = 0
  while j < whole {
    let numbers = load(x, j)
    store(load(q.a, j) + p[0] * numbers, q.a, j)
    store(load(q.b, j) + p[1] * numbers, q.b, j)
    store(load(q.c, j) + p[2] * numbers, q.c, j)
    store(load(q.d, j) + p[3] * numbers, q.d, j)
    j += 16
  }
  while j < row.count {
    q.a[j] += p[0] * x[j]
    q.b[j] += p[1] * x[j]
    q.c[j] += p[2] * x[j]
    q.d[j] += p[3] * x[j]
    j += 1
  }
}

/// e ← e − Σ pₖ aₖ, g ← g + Σ pₖ bₖ
@inline(never)
private func subtractAndAddFour(
  _ p: SIMD4<Real>, _ a: Four, from residual: Row, _ b: Four, to gradient: Row
) {
  let (e, g) = (residual.elements.baseAddress!, gradient.elements.baseAddress!)
  let whole = gradient.count & ~15
  var j = 0
  while j < whole {
    let own =
      p[0] * load(a.a, j) + p[1] * load(a.b, j) + (p[2] * load(a.c, j) + p[3] * load(a.d, j))
    let sum =
      p[0] * load(b.a, j) + p[1] * load(b.b, j) + (p[2] * load(b.c, j) + p[3] * load(b.d, j))
    store(load(e, j) - own, e, j)
    store(load(g, j) + sum, g, j)
    j += 16
  }
  while j < gradient.count {
    e[j] -= p[0] * a.a[j] + p[1] * a.b[j] + (p[2] * a.c[j] + p[3] * a.d[j])
    g[j] += p[0] * b.a[j] + p[1] * b.b[j] + (p[2] * b.c[j] + p[3] * b.d[j])
    j += 1
  }
}

/// y ← y + s x
@inline(never) private func addScaled(_ x: Row, _ s: Real, to y: Row) {
  for j in 0..<y.count { y[j] += s * x[j] }
}
