#if !REAL_IS_DOUBLE
  extension WeightPath {
    /// Products of factors that are rounded to bfloat16, then stored and multiplied in single
    /// precision: the numbers of `precision: bfloat16` on any processor, no faster than float32.
    static let rounded = WeightPath(
      name: "rounded", precision: .bfloat16, bytesOfCopies: { count, _ in (4 * count, 0) },
      bytesOfRounded: 4
    ) { weights, model in
      (weights.map { RoundedWeight($0, in: model) }, RoundedGradient(in: model))
    }
  }

  /// Products with a weight that is rounded to bfloat16.
  class RoundedWeight: WeightProduct {
    /// Serves both passes.
    private var copy = PackedCopy()

    override func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) {
      c.multiply(model.rounded(a, .left), false, roundedCopy(), !isTransposed, keep: keep)
    }

    private func roundedCopy() -> Matrix {
      copy.matrix(rows: matrix.rows, columns: matrix.columns, 0, of: self)
    }

    override func pack(_ number: Int, into memory: UnsafeMutableRawPointer) {
      matrix.round(
        into: Matrix(
          memory.assumingMemoryBound(to: Float.self), rows: matrix.rows, columns: matrix.columns))
    }
  }

  /// Gradients of factors that are rounded to bfloat16.
  class RoundedGradient: GradientProduct {
    unowned(unsafe) let model: WeightProducts

    init(in model: WeightProducts) { self.model = model }

    override func add(_ a: Matrix, _ b: Matrix, to g: Matrix) {
      g.multiply(model.rounded(a, .left), true, model.rounded(b, .right), false, keep: 1)
    }
  }
#endif
