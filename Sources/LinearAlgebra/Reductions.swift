internal import Glibc

// Sums whose order is fixed by the number of elements alone: sixteen running sums, joined at the end
// in one order. The same numbers give the same bits on every run and every rank.

extension Row {
  /// Σ xⱼ
  public var sum: Real {
    reduce(
      SIMD16<Real>.zero, { $0 + $1 }, { lanes, tail in lanes.foldedSum + tail },
      tail: { $0 + $1 })
  }

  /// The largest element; −∞ for an empty row. A NaN anywhere gives NaN.
  public var maximum: Real {
    reduce(
      SIMD16<Real>(repeating: -.infinity),
      { $0.replacing(with: $1, where: ($1 .> $0) .| ($1 .!= $1)) },
      { lanes, tail in (0..<16).reduce(tail) { larger($0, lanes[$1]) } }, tail: larger,
      tailStart: -.infinity)
  }

  /// ln Σ eˣʲ, without overflow; −∞ for an empty row. A NaN anywhere gives NaN.
  public var logSumExp: Real {
    let m = maximum
    guard m.isFinite else { return m }
    var total: Double = 0
    for j in 0..<count { total += Double(exp(self[j] - m)) }
    return m + Real(Glibc.log(total))
  }

  /// Σ xⱼ yⱼ
  public func dot(_ other: Row) -> Real {
    precondition(count == other.count, "dot product of rows of \(count) and \(other.count)")
    var lanes = SIMD16<Real>.zero
    let whole = count & ~15
    var j = 0
    while j < whole {
      lanes += load(j) * other.load(j)
      j += 16
    }
    var tail: Real = 0
    while j < count {
      tail += self[j] * other[j]
      j += 1
    }
    return lanes.foldedSum + tail
  }

  /// Σ xⱼ² in double precision.
  public var squaredNorm: Double {
    LinearAlgebra.squaredNorm(UnsafeBufferPointer(start: start, count: count))
  }

  @inline(__always) func load(_ j: Int) -> SIMD16<Real> {
    UnsafeRawPointer(start + j).loadUnaligned(as: SIMD16<Real>.self)
  }

  @inline(__always) private func reduce(
    _ initial: SIMD16<Real>, _ join: (SIMD16<Real>, SIMD16<Real>) -> SIMD16<Real>,
    _ finish: (SIMD16<Real>, Real) -> Real, tail joinTail: (Real, Real) -> Real,
    tailStart: Real = 0
  ) -> Real {
    var lanes = initial
    let whole = count & ~15
    var j = 0
    while j < whole {
      lanes = join(lanes, load(j))
      j += 16
    }
    var tail = tailStart
    while j < count {
      tail = joinTail(tail, self[j])
      j += 1
    }
    return finish(lanes, tail)
  }
}

/// The larger of two numbers, or NaN as soon as one is (`Swift.max` may drop it).
@inline(__always) private func larger(_ x: Real, _ y: Real) -> Real { y > x || y.isNaN ? y : x }

extension SIMD16 where Scalar: FloatingPoint {
  /// The sum of the lanes, halves joined pairwise.
  @inline(__always) var foldedSum: Scalar {
    let eight = lowHalf + highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
  }
}

extension Matrix {
  /// Adds the sum over all rows of `matrix` to this one row: the gradient of a bias.
  public func addColumnSums(_ matrix: Matrix) {
    precondition(
      rows == 1 && columns == matrix.columns,
      "column sums of \(matrix.rows)×\(matrix.columns) into \(rows)×\(columns)")
    for i in 0..<matrix.rows { accumulate(matrix[i], into: self[0]) }
  }
}

@inline(never) private func accumulate(_ x: Row, into y: Row) {
  for j in 0..<y.count { y[j] += x[j] }
}

/// Σ xⱼ² in double precision, the same bits however the memory is aligned.
public func squaredNorm(_ x: UnsafeBufferPointer<Real>) -> Double {
  guard let start = x.baseAddress else { return 0 }
  var a = SIMD8<Double>.zero
  var b = SIMD8<Double>.zero
  let whole = x.count & ~15
  var j = 0
  while j < whole {
    let lanes = UnsafeRawPointer(start + j).loadUnaligned(as: SIMD16<Real>.self)
    let low = SIMD8<Double>(lanes.lowHalf)
    let high = SIMD8<Double>(lanes.highHalf)
    a += low * low
    b += high * high
    j += 16
  }
  let c = a + b
  let four = c.lowHalf + c.highHalf
  let two = four.lowHalf + four.highHalf
  var total = two[0] + two[1]
  while j < x.count {
    total += Double(start[j]) * Double(start[j])
    j += 1
  }
  return total
}

/// The natural logarithm in double precision.
public func logarithm(_ x: Real) -> Double { Glibc.log(Double(x)) }
