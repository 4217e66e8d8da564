#if !REAL_IS_DOUBLE
  import LinearAlgebra
  import Testing

  /// Copies of weights that several users of the same weights share, as the ranks of a host do.
  @Suite struct `Shared copies of weights` {
    static let (rows, from, to) = (24, 300, 172)

    static func fill(_ matrix: Matrix, _ key: UInt64) {
      for i in 0..<matrix.rows {
        for j in 0..<matrix.columns {
          matrix[i, j] = Real(Philox(key: key).normal(UInt64(i * matrix.columns + j)))
        }
      }
    }

    static func bits(_ products: WeightProducts, _ weights: [Matrix]) -> [UInt32] {
      products.rowsOfStep = rows
      var bits: [UInt32] = []
      for (index, stored) in weights.enumerated() {
        let weight = products.weight(index, stored)
        for (weight, from, to) in [(weight, from, to), (weight.transposed, to, from)] {
          let x = FramedMatrix(rows: rows, columns: from, key: 7)
          let y = FramedMatrix(rows: rows, columns: to, key: 8)
          y.matrix.addProduct(x.matrix, weight)
          for i in 0..<rows { for j in 0..<to { bits.append(y.matrix[i, j].bitPattern) } }
        }
      }
      return bits
    }

    @Test(arguments: [Precision.float32, .bfloat16], [0, 1 << 20, 1 << 25])
    func `give the products of copies of one's own, also after a change and without enough room`(
      _ precision: Precision, _ room: Int
    ) {
      let memory = (0..<2).map { _ in Buffer<Real>(count: Self.to * Self.from) }
      let weights = memory.map { Matrix($0, rows: Self.to, columns: Self.from) }
      let table = Buffer<Int>(count: SharedPacks.tableCount(weights: 2))
      let shared = Buffer<UInt8>(count: room)
      let packs = (0..<3).map { SharedPacks(table: table, memory: shared, rank: $0, of: 3) }
      let users = packs.map { packs in
        let products = WeightProducts(weights, precision: precision)
        products.sharedPacks = packs
        return products
      }
      let alone = WeightProducts(weights, precision: precision)
      for change in 1...3 {
        for (index, matrix) in weights.enumerated() {
          Self.fill(matrix, UInt64(10 * change + index))
        }
        for products in users + [alone] { products.weightsChanged() }
        for packs in packs { packs.weightsChanged() }
        let expected = Self.bits(alone, weights)
        for products in users { #expect(Self.bits(products, weights) == expected) }
      }
      withExtendedLifetime((memory, shared, table)) {}
    }

    @Test func `are not made again by one who comes later`() {
      let memory = Buffer<Real>(count: Self.to * Self.from)
      let weights = [Matrix(memory, rows: Self.to, columns: Self.from)]
      Self.fill(weights[0], 3)
      let table = Buffer<Int>(count: SharedPacks.tableCount(weights: 1))
      let shared = Buffer<UInt8>(count: 1 << 22)
      let users = (0..<2).map { rank in
        let products = WeightProducts(weights, precision: .bfloat16)
        products.sharedPacks = SharedPacks(table: table, memory: shared, rank: rank, of: 2)
        return products
      }
      let first = Self.bits(users[0], weights)
      // The second user reads what the first has packed, not the weights that have changed unnoticed.
      weights[0].fill(0)
      #expect(Self.bits(users[1], weights) == first)
      withExtendedLifetime((memory, shared, table)) {}
    }
  }
#endif
