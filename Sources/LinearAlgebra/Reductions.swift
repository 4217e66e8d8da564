internal import Glibc

// Sums in an order that depends on the number of elements only: sixteen running sums, added at the
// end in a fixed order. The same numbers give the same bits in every run and on every rank.

extension Row {
  /// Σ xⱼ
  public var sum: Real {
    var lanes = SIMD16<Real>.zero
    let whole = count & ~15
    var j = 0
    while j < whole {
      lanes += load(j)
      j += 16
    }
    var tail: Real = 0
    while j < count {
      tail += self[j]
      j += 1
    }
    return lanes.foldedSum + tail
  }

  /// The largest element; −∞ for an empty row. A NaN anywhere gives NaN.
  public var maximum: Real {
    // Four independent chains, because a single one would wait for its comparison at every step.
    var a = SIMD16<Real>(repeating: -.infinity)
    var (b, c, d) = (a, a, a)
    let whole = count & ~63
    var j = 0
    while j < whole {
      a = larger(a, load(j))
      b = larger(b, load(j + 16))
      c = larger(c, load(j + 32))
      d = larger(d, load(j + 48))
      j += 64
    }
    let lanes = larger(larger(a, b), larger(c, d))
    var tail = -Real.infinity
    while j < count {
      tail = larger(tail, self[j])
      j += 1
    }
    return (0..<16).reduce(tail) { larger($0, lanes[$1]) }
  }

  /// The first index of the largest element; 0 for an empty row. A NaN never counts as larger.
  public var indexOfMaximum: Int {
    var best = 0
    for j in 1..<Swift.max(count, 1) where self[j] > self[best] { best = j }
    return best
  }

  /// True if element `j` is the first one that equals `maximum`, which must be the row's own
  /// maximum. Among equal elements only the first counts as the largest.
  public func isFirst(_ j: Int, of maximum: Real) -> Bool {
    self[j] == maximum && !self[0..<j].contains(maximum)
  }

  /// True if any element equals a number.
  private func contains(_ x: Real) -> Bool {
    var found = false
    for j in 0..<count { found = found || self[j] == x }
    return found
  }

  /// Adds another row to this one and returns the largest element, as `maximum` computes it.
  public func maximum(adding other: Row) -> Real {
    precondition(count == other.count, "adding a row of \(other.count) to one of \(count)")
    var a = SIMD16<Real>(repeating: -.infinity)
    var (b, c, d) = (a, a, a)
    let whole = count & ~63
    var j = 0
    while j < whole {
      for k in j..<j + 64 { self[k] += other[k] }
      a = larger(a, load(j))
      b = larger(b, load(j + 16))
      c = larger(c, load(j + 32))
      d = larger(d, load(j + 48))
      j += 64
    }
    let lanes = larger(larger(a, b), larger(c, d))
    var tail = -Real.infinity
    while j < count {
      self[j] += other[j]
      tail = larger(tail, self[j])
      j += 1
    }
    return (0..<16).reduce(tail) { larger($0, lanes[$1]) }
  }

  /// Replaces every element xⱼ with e^(xⱼ − m) and returns their sum, in the same order as `sum`.
  public func exponentiate(minus m: Real) -> Real {
    var lanes = SIMD16<Real>.zero
    let whole = count & ~15
    var j = 0
    while j < whole {
      for k in j..<j + 16 { self[k] = exp(self[k] - m) }
      lanes += load(j)
      j += 16
    }
    var tail: Real = 0
    while j < count {
      self[j] = exp(self[j] - m)
      tail += self[j]
      j += 1
    }
    return lanes.foldedSum + tail
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
}

/// Returns the larger of two numbers, or NaN if either is NaN (`Swift.max` may drop it).
@inline(__always) private func larger(_ x: Real, _ y: Real) -> Real { y > x || y.isNaN ? y : x }
@inline(__always) private func larger(_ x: SIMD16<Real>, _ y: SIMD16<Real>) -> SIMD16<Real> {
  x.replacing(with: y, where: (y .> x) .| (y .!= y))
}

extension SIMD16 where Scalar: FloatingPoint {
  /// The sum of the lanes, adding halves pairwise.
  @inline(__always) var foldedSum: Scalar {
    let eight = lowHalf + highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
  }
}

extension Matrix {
  /// Adds the sum over all rows of `matrix` to this single row: the gradient of a bias.
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

/// Returns Σ xⱼ² in double precision, with the same bits for any alignment of the memory.
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

/// Returns the natural logarithm in double precision.
public func logarithm(_ x: Real) -> Double { Glibc.log(Double(x)) }
