#if !REAL_IS_DOUBLE
  internal import COneDNN

  /// oneDNN, which is looked for when the program starts; `UNROLL_ONEDNN=off` does without it, and
  /// `UNROLL_ONEDNN=FILE` takes another file. It is faster than OpenBLAS for large products, for
  /// weights that it has brought into blocks of its own, and for bfloat16.
  struct OneDNN: ProductBackend {
    private static let isFound = onednn_open() == nil

    var description: String? {
      Self.isFound
        ? "oneDNN \(String(cString: onednn_version())), \(String(cString: onednn_instructions()))"
        : nil
    }

    var problem: String? { onednn_open().map { String(cString: $0) } }

    var denseKernel: DenseKernel? { Self.isFound ? multiplyPlain : nil }

    var weightPaths: [WeightPath] {
      guard Self.isFound else { return [] }
      return [.transposed, .blocked] + (onednn_has_bfloat16() ? [.bfloat16] : [])
    }

    func weightPath(for precision: Precision, rowsAreIndependent: Bool) -> WeightPath? {
      guard Self.isFound, !rowsAreIndependent else { return nil }
      switch precision {
      case .float32: return onednn_prefers_blocked() ? .blocked : .transposed
      case .bfloat16: return onednn_has_bfloat16() ? .bfloat16 : nil
      }
    }
  }

  /// Plain products where oneDNN is faster than OpenBLAS (docs/performance.md): large ones, unless it
  /// would have to reorder a transposed B for too few rows of A.
  private func multiplyPlain(_ p: DenseProduct) -> Bool {
    // OpenBLAS's product of a matrix and a vector is faster for one row.
    if p.m == 1 && !p.transposeA { return false }
    guard p.m * p.n * p.k > 1_000_000 && (!p.transposeB || p.m >= 512) else { return false }
    let (a, b, c) = (p.a, p.b, p.c)
    // The rows of A that it reorders at once should stay in cache until they are used.
    let block = p.transposeA ? evenBlock(of: p.m, atMost: 1024, multipleOf: 16) : p.m
    var i = 0
    while i < p.m {
      let height = min(block, p.m - i)
      let isDone = onednn_sgemm(
        p.transposeA, p.transposeB, height, p.n, p.k, a.start + i * (p.transposeA ? 1 : a.stride),
        max(a.stride, 1), b.start, max(b.stride, 1), p.keep, c.start + i * c.stride,
        max(c.stride, 1))
      precondition(
        isDone, "oneDNN had no memory for a product of \(p.m)×\(p.k) and \(p.k)×\(p.n)")
      i += height
    }
    return true
  }

  extension WeightPath {
    /// Products with a transposed copy where rows are few: oneDNN need not reorder it at each use.
    fileprivate static let transposed = WeightPath(
      name: "transposed", precision: .float32,
      bytesOfCopies: { count, rows in (isWorthACopy(rows, count) ? 4 * count : 0, 0) },
      bytesOfRounded: 0
    ) { weights, model in
      (weights.map { TransposedWeight($0, in: model) }, GradientProduct())
    }

    /// Products with a copy in oneDNN's own blocks where rows are few.
    fileprivate static let blocked = WeightPath(
      name: "blocked", precision: .float32,
      bytesOfCopies: { count, rows in
        isWorthACopy(rows, count) ? (4 * count, 4 * count) : (0, 0)
      },
      bytesOfRounded: 0
    ) { weights, model in
      let made = MadeProducts()
      return (weights.map { BlockedWeight($0, in: model, made) }, GradientProduct())
    }

    /// Products with a copy in oneDNN's own blocks of bfloat16 numbers.
    fileprivate static let bfloat16 = WeightPath(
      name: "bfloat16", precision: .bfloat16,
      bytesOfCopies: { count, _ in (2 * count, 2 * count) }, bytesOfRounded: 2
    ) { weights, model in
      let made = MadeProducts()
      return (
        weights.map { BlockedBFloat16Weight($0, in: model, made) },
        BFloat16Gradient(in: model, made)
      )
    }
  }

  /// Returns true if a copy in single precision pays. It costs about one use, so it pays for the
  /// products of a time step: there are many of them, with so few rows that reordering the weights
  /// inside the library would be a large part of the work.
  private func isWorthACopy(_ rowsOfStep: Int, _ count: Double) -> Bool {
    rowsOfStep > 1 && rowsOfStep <= 128 && Double(rowsOfStep) * count > 1_000_000
  }

  extension WeightProduct {
    fileprivate func isWorthACopy(of a: Matrix) -> Bool {
      a.rows == model.rowsOfStep && a.rows > 1 && a.rows <= 128
        && a.rows * matrix.rows * matrix.columns > 1_000_000
    }
  }

  private final class TransposedWeight: WeightProduct {
    private var copy = PackedCopy()

    override func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) {
      guard !isTransposed && isWorthACopy(of: a) else {
        return super.multiply(a, into: c, isTransposed: isTransposed, keep: keep)
      }
      let transposed = copy.matrix(rows: matrix.columns, columns: matrix.rows, 0, of: self)
      c.multiply(a, false, transposed, false, keep: keep)
    }

    override func pack(_ number: Int, into memory: UnsafeMutableRawPointer) {
      matrix.transpose(
        into: Matrix(
          memory.assumingMemoryBound(to: Float.self), rows: matrix.columns, columns: matrix.rows))
    }
  }

  private final class BlockedWeight: WeightProduct {
    private let forward, backward: BlockedCopy

    init(_ matrix: Matrix, in model: WeightProducts, _ made: MadeProducts) {
      forward = BlockedCopy(ONEDNN_FLOAT32, made, number: BlockedCopy.forward)
      backward = BlockedCopy(ONEDNN_FLOAT32, made, number: BlockedCopy.backward)
      super.init(matrix, in: model)
    }

    override func pack(_ number: Int, into memory: UnsafeMutableRawPointer) {
      (number == BlockedCopy.forward ? forward : backward).fill(memory, from: matrix)
    }

    override func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) {
      let copy = isTransposed ? backward : forward
      guard isWorthACopy(of: a) && a.stride == a.columns,
        let (product, packed) = copy.prepare(a, c, isTransposed, keep, for: self)
      else { return super.multiply(a, into: c, isTransposed: isTransposed, keep: keep) }
      run(product, a, UnsafeRawPointer(a.start), packed, c)
    }
  }

  private final class BlockedBFloat16Weight: RoundedWeight {
    private let forward, backward: BlockedCopy

    init(_ matrix: Matrix, in model: WeightProducts, _ made: MadeProducts) {
      forward = BlockedCopy(ONEDNN_BFLOAT16, made, number: BlockedCopy.forward)
      backward = BlockedCopy(ONEDNN_BFLOAT16, made, number: BlockedCopy.backward)
      super.init(matrix, in: model)
    }

    override func pack(_ number: Int, into memory: UnsafeMutableRawPointer) {
      switch number {
      case BlockedCopy.forward: forward.fill(memory, from: matrix)
      case BlockedCopy.backward: backward.fill(memory, from: matrix)
      default: super.pack(number, into: memory)
      }
    }

    override func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) {
      let copy = isTransposed ? backward : forward
      guard let (product, packed) = copy.prepare(a, c, isTransposed, keep, for: self) else {
        return super.multiply(a, into: c, isTransposed: isTransposed, keep: keep)
      }
      run(product, a, UnsafeRawPointer(model.roundedBits(a, .left)), packed, c)
    }
  }

  private func run(
    _ product: OpaquePointer, _ a: Matrix, _ left: UnsafeRawPointer,
    _ packed: UnsafeMutableRawPointer, _ c: Matrix
  ) {
    let isDone = onednn_product_run(product, left, packed, c.start)
    precondition(isDone, "oneDNN failed in a product of \(a.rows)×\(a.columns)×\(c.columns)")
  }

  private final class BFloat16Gradient: RoundedGradient {
    private let made: MadeProducts

    init(in model: WeightProducts, _ made: MadeProducts) {
      self.made = made
      super.init(in: model)
    }

    override func add(_ a: Matrix, _ b: Matrix, to g: Matrix) {
      var shape = onednn_shape()
      shape.m = a.columns
      shape.k = a.rows
      shape.n = b.columns
      shape.ldc = g.stride
      shape.keep = true
      shape.type = ONEDNN_BFLOAT16
      shape.transpose_a = true
      guard let product = made.product(shape, nil) else { return super.add(a, b, to: g) }
      let isDone = onednn_product_run(
        product, model.roundedBits(a, .left), model.roundedBits(b, .right), g.start)
      precondition(isDone, "oneDNN failed in a product of \(shape.m)×\(shape.k)×\(shape.n)")
    }
  }

  /// A copy of a weight in oneDNN's own blocks, for one of the two passes.
  private final class BlockedCopy {
    /// The numbers of the copies for the two passes.
    static let (forward, backward) = (1, 2)

    private let type: onednn_type
    private let made: MadeProducts
    private let number: Int
    private var copy = PackedCopy()
    /// The layout of the blocks.
    private var layout: OpaquePointer?

    init(_ type: onednn_type, _ made: MadeProducts, number: Int) {
      self.type = type
      self.number = number
      self.made = made
    }

    deinit { if let layout { onednn_pack_free(layout) } }

    /// Returns the product of this shape and the up-to-date copy; nil if oneDNN has no fast kernel for
    /// it.
    func prepare(
      _ a: Matrix, _ c: Matrix, _ isTransposed: Bool, _ keep: Real, for weight: WeightProduct
    ) -> (product: OpaquePointer, packed: UnsafeMutableRawPointer)? {
      var shape = onednn_shape()
      shape.m = a.rows
      shape.k = a.columns
      shape.n = c.columns
      shape.ldc = c.stride
      shape.keep = keep == 1
      shape.blocked_b = true
      shape.type = type
      if layout == nil {
        // Made for one number of rows, so that it does not depend on which product comes first.
        var typical = shape
        typical.m = 32
        layout = onednn_pack_make(typical)
      }
      guard let layout, let product = made.product(shape, layout) else { return nil }
      return (product, copy.bytes(onednn_pack_bytes(layout), number, of: weight))
    }

    /// Writes the copy, whose layout a product has made before.
    func fill(_ memory: UnsafeMutableRawPointer, from matrix: Matrix) {
      let isMade = onednn_pack_fill(layout!, matrix.start, number == Self.forward, memory)
      precondition(isMade, "oneDNN could not pack \(matrix.rows)×\(matrix.columns)")
    }
  }

  /// The products that oneDNN has made for one model, each at the first use of its shape.
  private final class MadeProducts {
    private struct Key: Hashable {
      let m, n, k, stride: Int
      let flags: Int
      let layout: OpaquePointer?
    }

    private var products: [Key: OpaquePointer?] = [:]

    deinit { free() }

    /// Returns the product of a shape; nil if there is no fast one.
    func product(_ shape: onednn_shape, _ layout: OpaquePointer?) -> OpaquePointer? {
      let flags =
        (shape.keep ? 1 : 0) + (shape.transpose_a ? 2 : 0) + Int(shape.type.rawValue) * 4
      let key = Key(
        m: shape.m, n: shape.n, k: shape.k, stride: shape.ldc, flags: flags, layout: layout)
      if let known = products[key] { return known }
      // Windows of many different lengths would fill the memory.
      if products.count >= 512 { free() }
      let made = onednn_product_make(shape, layout)
      products[key] = .some(made)
      return made
    }

    private func free() {
      for case let product? in products.values { onednn_product_free(product) }
      products.removeAll(keepingCapacity: true)
    }
  }
#endif
