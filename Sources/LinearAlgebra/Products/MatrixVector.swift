#if !REAL_IS_DOUBLE
  extension Matrix {
    /// y = keep · y + B x: a dot product of x and every row of this matrix, as one stream at a time needs
    /// them.
    ///
    /// Reading B is all the time there is: one row after the other, as memory likes it best.
    func multiply(_ x: Row, into y: Row, keep: Real) {
      for i in 0..<rows {
        let sum = wideDot(self[i], x)
        y[i] = keep == 0 ? sum : y[i] + sum
      }
    }
  }

  @inline(never)
  private func wideDot(_ a: Row, _ x: Row) -> Float {
    var (p, q, r, s) = (
      SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero
    )
    var j = 0
    while j + 64 <= x.count {
      p += a.load(j) * x.load(j)
      q += a.load(j + 16) * x.load(j + 16)
      r += a.load(j + 32) * x.load(j + 32)
      s += a.load(j + 48) * x.load(j + 48)
      j += 64
    }
    while j + 16 <= x.count {
      p += a.load(j) * x.load(j)
      j += 16
    }
    var sum = ((p + q) + (r + s)).foldedSum
    while j < x.count {
      sum += a[j] * x[j]
      j += 1
    }
    return sum
  }
#endif
