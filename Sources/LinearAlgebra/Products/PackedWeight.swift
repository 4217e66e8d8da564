#if !REAL_IS_DOUBLE
  internal import COneDNN
  internal import CTiles

  /// The copies of one weight that products use in place of the stored matrix, each made anew at
  /// its first use after a change of the weight.
  ///
  /// Which copy a product uses follows from its shape and never from what was done before: a run
  /// that was resumed has to make the same bits.
  final class PackedWeight {
    /// A copy for x · W, or for the way back.
    private struct Copy {
      /// Of the weights that it was made from.
      var version = -1
      /// Where it lies: in memory of its own, or where it lay in some turn of `PackMemory`.
      var start: UnsafeMutableRawPointer?
      var own: Buffer<UInt8>?
      var turn = -1
      /// How oneDNN likes it to lie.
      var layout: OpaquePointer?
    }

    private let matrix: Matrix
    unowned(unsafe) let products: WeightProducts
    private var forward = Copy()
    private var backward = Copy()
    /// Serves both ways.
    private var rounded = Copy()

    init(_ matrix: Matrix, in products: WeightProducts) {
      self.matrix = matrix
      self.products = products
    }

    deinit {
      if let layout = forward.layout { onednn_pack_free(layout) }
      if let layout = backward.layout { onednn_pack_free(layout) }
    }

    /// C = keep · C + A W, or with the transposed weight.
    /// - Returns: whether it was done; if not, the stored matrix is as good as any copy.
    func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) -> Bool {
      if products.rowsAreIndependent {
        let rounds = products.precision == .bfloat16
        let stored = rounds ? roundedCopy() : matrix
        c.multiplyRows(
          rounds ? products.rounded(a) : a,
          isTransposed ? stored : transposedCopy(of: stored), keep: keep)
        return true
      }
      switch products.path {
      case .stored: return false
      case .transposed:
        guard !isTransposed && isWorthwhile(a) else { return false }
        c.multiply(a, false, transposedCopy(of: matrix), false, keep: keep)
        return true
      case .blocked:
        guard isWorthwhile(a) && a.stride == a.columns else { return false }
        return isTransposed
          ? multiply(a, c, keep, &backward, isTransposed: true)
          : multiply(a, c, keep, &forward, isTransposed: false)
      case .tiles:
        isTransposed
          ? multiplyTiles(a, c, keep, &backward, isTransposed: true)
          : multiplyTiles(a, c, keep, &forward, isTransposed: false)
        return true
      case .bfloat16:
        let isDone =
          isTransposed
          ? multiply(a, c, keep, &backward, isTransposed: true)
          : multiply(a, c, keep, &forward, isTransposed: false)
        if isDone { return true }
        fallthrough
      case .rounded:
        let left = products.rounded(a)
        c.multiply(left, false, roundedCopy(), !isTransposed, keep: keep)
        return true
      }
    }

    /// In single precision a copy, which costs about one use, pays for products of a time step:
    /// there are many of them, of so few rows that the library's own rearranging of the weights is
    /// a large part of its work.
    private func isWorthwhile(_ a: Matrix) -> Bool {
      a.rows == products.rowsOfStep && a.rows > 1 && a.rows <= 128
        && a.rows * matrix.rows * matrix.columns > 1_000_000
    }

    /// The weights as `[in, out]`, from what they are as `[out, in]`.
    private func transposedCopy(of matrix: Matrix) -> Matrix {
      let copy = floats(&forward, rows: matrix.columns, columns: matrix.rows)
      if forward.version != products.version {
        matrix.transpose(into: copy)
        forward.version = products.version
      }
      return copy
    }

    /// The weights as they are stored, rounded to bfloat16 and kept as single numbers.
    private func roundedCopy() -> Matrix {
      let copy = floats(&rounded, rows: matrix.rows, columns: matrix.columns)
      if rounded.version != products.version {
        matrix.round(into: copy)
        rounded.version = products.version
      }
      return copy
    }

    private func floats(_ copy: inout Copy, rows: Int, columns: Int) -> Matrix {
      let bytes = rows * columns * MemoryLayout<Float>.stride
      let start = place(&copy, bytes: bytes)
      return Matrix(
        start.assumingMemoryBound(to: Float.self), rows: rows, columns: columns)
    }

    /// Where a copy lies; it has no version if it has just got that place.
    private func place(_ copy: inout Copy, bytes: Int) -> UnsafeMutableRawPointer {
      if products.copiesTakeTurns, bytes >= WeightProducts.leastOfTurns {
        if copy.turn != products.memory.turn {
          copy = Copy(
            start: products.memory.take(bytes), turn: products.memory.turn, layout: copy.layout)
        }
      } else if copy.own == nil {
        let own = Buffer<UInt8>(count: bytes)
        copy = Copy(start: UnsafeMutableRawPointer(own.start), own: own, layout: copy.layout)
      }
      return copy.start!
    }

    /// A product with a blocked copy; false where oneDNN has no fast kernel for it.
    private func multiply(
      _ a: Matrix, _ c: Matrix, _ keep: Real, _ copy: inout Copy, isTransposed: Bool
    ) -> Bool {
      var shape = onednn_shape()
      shape.m = a.rows
      shape.k = a.columns
      shape.n = c.columns
      shape.ldc = c.stride
      shape.keep = keep == 1
      shape.blocked_b = true
      shape.type = products.path == .bfloat16 ? ONEDNN_BFLOAT16 : ONEDNN_FLOAT32
      if copy.layout == nil {
        // For one number of rows, whichever product comes first.
        var typical = shape
        typical.m = 32
        copy.layout = onednn_pack_make(typical)
      }
      guard let layout = copy.layout, let product = products.product(shape, layout) else {
        return false
      }
      let packed = place(&copy, bytes: onednn_pack_bytes(layout))
      if copy.version != products.version {
        copy.version = products.version
        let isMade = onednn_pack_fill(layout, matrix.start, !isTransposed, packed)
        precondition(isMade, "oneDNN could not pack \(matrix.rows)×\(matrix.columns)")
      }
      let left =
        products.path == .bfloat16
        ? UnsafeRawPointer(products.roundedBits(a, .left)) : UnsafeRawPointer(a.start)
      let isDone = onednn_product_run(product, left, packed, c.start)
      precondition(isDone, "oneDNN failed in a product of \(a.rows)×\(a.columns)×\(c.columns)")
      return true
    }

    /// A product with a copy in the tiles of AMX.
    private func multiplyTiles(
      _ a: Matrix, _ c: Matrix, _ keep: Real, _ copy: inout Copy, isTransposed: Bool
    ) {
      let packed = place(&copy, bytes: tiles_bytes(c.columns, a.columns))
      if copy.version != products.version {
        copy.version = products.version
        // The stored matrix is [out, in]: its rows are the outputs' weights.
        tiles_pack(
          matrix.start, matrix.stride, isTransposed, c.columns, a.columns, TILES_RIGHT, packed)
      }
      tiles_multiply(
        a.rows, c.columns, a.columns, products.tiles(a, .left, overRows: false), packed, keep == 1,
        c.start, c.stride)
    }
  }
#else
  /// There are no copies in double precision.
  final class PackedWeight {}
#endif
