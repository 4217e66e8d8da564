#if !REAL_IS_DOUBLE
  import LinearAlgebra
  import Testing

  /// Products that fit a readout to the same bits on any number of ranks, which have other numbers of rows.
  @Suite struct `Products of independent rows` {
    static let shapes = [
      WeightShape(24, 8, 300), WeightShape(21, 300, 43), WeightShape(40, 130, 67),
      WeightShape(13, 1, 5), WeightShape(7, 33, 1),
    ]

    /// Every selection of rows that a rank may have: each alone, a half, all in another order.
    static func selections(of count: Int) -> [[Int]] {
      (0..<count).map { [$0] }
        + [
          Array(0..<count / 2), Array(count / 2..<count), Array((0..<count).reversed()),
          (0..<count).filter { $0 % 3 == 1 },
        ]
    }

    static func some(_ rows: [Int], of x: FramedMatrix) -> FramedMatrix {
      let part = FramedMatrix(rows: rows.count, columns: x.matrix.columns, margin: 2)
      for (i, row) in rows.enumerated() { part.matrix[i].copy(x.matrix[row]) }
      return part
    }

    @Test(arguments: [Precision.float32, .bfloat16], shapes)
    func `the value of a row does not depend on the rows beside it, nor on its place`(
      _ precision: Precision, _ shape: WeightShape
    ) {
      let stored = Buffer<Real>(count: shape.to * shape.from)
      let matrix = Matrix(stored, rows: shape.to, columns: shape.from)
      for i in 0..<shape.to {
        for j in 0..<shape.from {
          matrix[i, j] = Real(Philox(key: 4).normal(UInt64(i * shape.from + j)))
        }
      }
      let products = WeightProducts([matrix], precision: precision, rowsAreIndependent: true)
      let weight = products.weight(0, matrix)
      defer { withExtendedLifetime(stored) {} }
      for (weight, from, to) in [
        (weight, shape.from, shape.to), (weight.transposed, shape.to, shape.from),
      ] {
        let x = FramedMatrix(rows: shape.rows, columns: from, margin: 2, key: 1)
        let before = FramedMatrix(rows: shape.rows, columns: to, key: 2)
        func product(_ rows: [Int]) -> FramedMatrix {
          products.rowsOfStep = rows.count
          let some = Self.some(rows, of: x)
          let y = Self.some(rows, of: before)
          y.matrix.addProduct(some.matrix, weight)
          #expect(y.frameIsIntact && some.frameIsIntact)
          return y
        }
        let whole = product(Array(0..<shape.rows))
        for rows in Self.selections(of: shape.rows) {
          let part = product(rows)
          for (i, row) in rows.enumerated() {
            for j in 0..<to where part.matrix[i, j] != whole.matrix[row, j] {
              let (one, other) = (part.matrix[i, j], whole.matrix[row, j])
              Issue.record("row \(row) of \(rows), column \(j): \(one), not \(other)")
            }
          }
          #expect(part.frameIsIntact && whole.frameIsIntact)
        }
      }
    }

    @Test(arguments: shapes)
    func `they are the sums they stand for`(_ shape: WeightShape) {
      let a = FramedMatrix(rows: shape.rows, columns: shape.from, margin: 2, key: 1)
      let b = FramedMatrix(rows: shape.from, columns: shape.to, margin: 4, key: 2)
      let c = FramedMatrix(rows: shape.to, columns: shape.from, margin: 1, key: 3)
      let plain = FramedMatrix(rows: shape.rows, columns: shape.to)
      let transposed = FramedMatrix(rows: shape.rows, columns: shape.to)
      plain.matrix.setProduct(a.matrix, b.matrix, independentRows: true)
      transposed.matrix.setProduct(a.matrix, c.matrix.transposed, independentRows: true)
      for i in 0..<shape.rows {
        for j in 0..<shape.to {
          var (x, y, size) = (0.0, 0.0, 1e-30)
          for k in 0..<shape.from {
            x += Double(a.matrix[i, k]) * Double(b.matrix[k, j])
            y += Double(a.matrix[i, k]) * Double(c.matrix[j, k])
            size += (Double(a.matrix[i, k]) * Double(b.matrix[k, j])).magnitude
            size += (Double(a.matrix[i, k]) * Double(c.matrix[j, k])).magnitude
          }
          let limit = Double(shape.from + 1) * Double(Float.ulpOfOne) * size
          #expect((Double(plain.matrix[i, j]) - x).magnitude <= limit, "\(i), \(j)")
          #expect((Double(transposed.matrix[i, j]) - y).magnitude <= limit, "\(i), \(j)")
        }
      }
      #expect(plain.frameIsIntact && transposed.frameIsIntact)
    }

    @Test func `rows that are padded with zeros at their ends have the same products`() {
      let a = FramedMatrix(rows: 5, columns: 37, key: 1)
      let b = FramedMatrix(rows: 37, columns: 19, key: 2)
      for k in 23..<37 { for i in 0..<5 { a.matrix[i, k] = 0 } }
      let long = FramedMatrix(rows: 5, columns: 19)
      let short = FramedMatrix(rows: 5, columns: 19)
      long.matrix.setProduct(a.matrix, b.matrix, independentRows: true)
      short.matrix.setProduct(
        a.matrix.slice(columns: 0..<23), b.matrix.slice(rows: 0..<23), independentRows: true)
      #expect(long.numbers == short.numbers)
    }
  }
#endif
