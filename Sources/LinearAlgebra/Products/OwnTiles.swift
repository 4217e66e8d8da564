#if !REAL_IS_DOUBLE
  internal import CTiles

  /// This program's own kernels for the tiles of Intel's AMX (Sources/CTiles), which multiply bfloat16
  /// numbers. `UNROLL_AMX=own` asks for them in place of oneDNN's kernels for the same tiles.
  struct OwnTiles: ProductBackend {
    var weightPaths: [WeightPath] { tiles_open() == nil ? [.tiles] : [] }

    func weightPath(for precision: Precision, rowsAreIndependent: Bool) -> WeightPath? {
      precision == .bfloat16 && !rowsAreIndependent && tiles_are_wanted() && tiles_open() == nil
        ? .tiles : nil
    }
  }

  extension WeightPath {
    /// Products of bfloat16 numbers in the tiles of AMX.
    static let tiles = WeightPath(
      name: "tiles", precision: .bfloat16,
      bytesOfCopies: { count, _ in (2 * count, 2 * count) }, bytesOfRounded: 2
    ) { weights, model in
      (weights.map { TiledWeight($0, in: model) }, TiledGradient(in: model))
    }
  }

  private final class TiledWeight: WeightProduct {
    private var forward = PackedCopy()
    private var backward = PackedCopy()

    override func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) {
      let packed =
        isTransposed
        ? tiles(of: &backward, a, c, isTransposed) : tiles(of: &forward, a, c, isTransposed)
      tiles_multiply(
        a.rows, c.columns, a.columns, model.tiles(a, .left, overRows: false), packed, keep == 1,
        c.start, c.stride)
    }

    private func tiles(
      of copy: inout PackedCopy, _ a: Matrix, _ c: Matrix, _ isTransposed: Bool
    ) -> UnsafeMutableRawPointer {
      copy.bytes(tiles_bytes(c.columns, a.columns), isTransposed ? 1 : 0, of: self)
    }

    override func pack(_ number: Int, into memory: UnsafeMutableRawPointer) {
      // The stored matrix is [out, in]: a row holds the weights of one output.
      let isTransposed = number == 1
      let (lines, depth) =
        isTransposed ? (matrix.columns, matrix.rows) : (matrix.rows, matrix.columns)
      tiles_pack(matrix.start, matrix.stride, isTransposed, lines, depth, TILES_RIGHT, memory)
    }
  }

  private final class TiledGradient: GradientProduct {
    unowned(unsafe) let model: WeightProducts

    init(in model: WeightProducts) { self.model = model }

    override func add(_ a: Matrix, _ b: Matrix, to g: Matrix) {
      tiles_multiply(
        a.columns, b.columns, a.rows, model.tiles(a, .left, overRows: true),
        model.tiles(b, .right, overRows: true), true, g.start, g.stride)
    }
  }

  extension WeightProducts {
    /// Returns a factor in tiles, in memory that the next call for this side overwrites.
    /// - Parameter overRows: the product sums over the rows of the factor, not over its columns.
    fileprivate func tiles(
      _ a: Matrix, _ side: Side, overRows: Bool
    ) -> UnsafeMutablePointer<UInt16> {
      let (lines, depth) = overRows ? (a.columns, a.rows) : (a.rows, a.columns)
      let memory = memory(for: tiles_bytes(lines, depth) / MemoryLayout<UInt16>.stride, side)
      tiles_pack(
        a.start, a.stride, overRows, lines, depth, side == .left ? TILES_LEFT : TILES_RIGHT, memory)
      return memory
    }
  }
#endif
