internal import COneDNN
internal import CTiles

/// The products with one model's parameters: their precision, the packed copies of the weights, and
/// the memory for rounded factors.
///
/// It belongs to the weights it was made for and to the thread that uses them.
public final class WeightProducts {
  public let precision: Precision
  /// The rows of a product at one time step where a window has many steps; 0 where it has one.
  public var rowsOfStep = 0
  /// Counts the time of products with the weights; nil where nobody asks.
  public var clock: ProductClock?
  /// Whether large copies of the weights lie in the same memory one layer after the other, each
  /// until `releasePackedWeights`. For training: every copy is made anew in each step anyway.
  public var copiesTakeTurns = false
  /// Whether each row of a product x · W depends on that row of x and on W alone, to the bit, and not on
  /// how many rows there are beside it; slower. To be set before the first product.
  public var rowsAreIndependent = false
  /// Rises with every change of the weights.
  private(set) var version = 0

  #if REAL_IS_DOUBLE
    public init(_ weights: [Matrix], precision: Precision) { self.precision = precision }

    public func weight(_ index: Int, _ stored: Matrix) -> Weight { Weight(stored) }
    public func gradient(_ stored: Matrix) -> WeightGradient { WeightGradient(stored) }
  #else
    /// How a product with a weight is done.
    package enum Path: String, CaseIterable, Codable, Sendable {
      /// With the matrix as it is stored.
      case stored
      /// With a transposed copy where rows are few: then oneDNN need not rearrange it at each use.
      case transposed
      /// With a copy in oneDNN's own blocks where rows are few.
      case blocked
      /// With a copy in oneDNN's own blocks of bfloat16 numbers.
      case bfloat16
      /// With bfloat16 numbers in the tiles of AMX, by this program's own kernels.
      case tiles
      /// With bfloat16 numbers that are stored and multiplied as single ones.
      case rounded
    }

    let path: Path
    let memory = PackMemory()
    private var packs: [PackedWeight] = []
    private var products: [Key: OpaquePointer?] = [:]
    private var left = Buffer<UInt16>(count: 0)
    private var right = Buffer<UInt16>(count: 0)
    private var leftSingles = Buffer<Float>(count: 0)
    private var rightSingles = Buffer<Float>(count: 0)

    /// Products with these weights, which stay where they are.
    public convenience init(_ weights: [Matrix], precision: Precision) {
      self.init(weights, precision: precision, path: Self.path(for: precision))
    }

    package init(_ weights: [Matrix], precision: Precision, path: Path) {
      self.precision = precision
      self.path = path
      packs = weights.map { PackedWeight($0, in: self) }
    }

    deinit { freeProducts() }

    /// The fastest way on this machine; the same on all machines of a kind.
    private static func path(for precision: Precision) -> Path {
      switch precision {
      case .float32:
        !ProductLibrary.hasOneDNN ? .stored : onednn_prefers_blocked() ? .blocked : .transposed
      case .bfloat16:
        ProductLibrary.usesOwnTiles ? .tiles : ProductLibrary.hasBFloat16 ? .bfloat16 : .rounded
      }
    }

    /// The bytes that the copies of a weight take, for x · W and for the backward pass.
    /// - Parameter rowsOfStep: the rows of a product at one time step.
    package static func bytesOfCopies(
      rows: Int, columns: Int, rowsOfStep: Int, precision: Precision
    ) -> (forward: Double, backward: Double) {
      let count = Double(rows) * Double(columns)
      let isWorthwhile =
        rowsOfStep > 1 && rowsOfStep <= 128 && Double(rowsOfStep) * count > 1_000_000
      switch path(for: precision) {
      case .stored: return (0, 0)
      case .transposed: return (isWorthwhile ? 4 * count : 0, 0)
      case .blocked: return isWorthwhile ? (4 * count, 4 * count) : (0, 0)
      case .bfloat16, .tiles: return (2 * count, 2 * count)
      case .rounded: return (4 * count, 0)
      }
    }

    /// The bytes of a number that is rounded before it is multiplied; 0 where none is.
    package static func bytesOfRounded(_ precision: Precision) -> Int {
      switch path(for: precision) {
      case .stored, .transposed, .blocked: 0
      case .bfloat16, .tiles: 2
      case .rounded: 4
      }
    }

    /// Copies of fewer bytes do not take turns.
    package static let leastOfTurns = 1 << 20

    /// Weight number `index`, as a factor.
    public func weight(_ index: Int, _ stored: Matrix) -> Weight {
      Weight(stored, isTransposed: false, packs: packs[index])
    }

    /// A gradient of these weights.
    public func gradient(_ stored: Matrix) -> WeightGradient {
      WeightGradient(stored, products: self)
    }

    /// G += Aᵀ B with rounded factors; false where they are not rounded.
    func addGradient(_ a: Matrix, _ b: Matrix, to g: Matrix) -> Bool {
      guard precision == .bfloat16, a.rows > 0, a.columns > 0, b.columns > 0 else { return false }
      precondition(
        a.columns == g.rows && a.rows == b.rows && b.columns == g.columns,
        "product of \(a.columns)×\(a.rows) and \(b.rows)×\(b.columns) into \(g.rows)×\(g.columns)")
      if path == .tiles {
        tiles_multiply(
          a.columns, b.columns, a.rows, tiles(a, .left, overRows: true),
          tiles(b, .right, overRows: true), true, g.start, g.stride)
        return true
      }
      if path == .bfloat16 {
        var shape = onednn_shape()
        shape.m = a.columns
        shape.k = a.rows
        shape.n = b.columns
        shape.ldc = g.stride
        shape.keep = true
        shape.type = ONEDNN_BFLOAT16
        shape.transpose_a = true
        if let product = product(shape, nil) {
          let isDone = onednn_product_run(
            product, roundedBits(a, .left), roundedBits(b, .right), g.start)
          precondition(isDone, "oneDNN failed in a product of \(shape.m)×\(shape.k)×\(shape.n)")
          return true
        }
      }
      g.multiply(rounded(a), true, rounded(b, .right), false, keep: 1)
      return true
    }

    enum Side { case left, right }

    /// The numbers rounded to bfloat16, in memory that the next call for this side overwrites.
    func roundedBits(_ a: Matrix, _ side: Side) -> UnsafeMutablePointer<UInt16> {
      let memory = memory(for: a.rows * a.columns, side)
      a.round(into: memory)
      return memory
    }

    /// The same in the tiles of AMX, of a factor of a sum over its columns or over its rows.
    func tiles(_ a: Matrix, _ side: Side, overRows: Bool) -> UnsafeMutablePointer<UInt16> {
      let (lines, depth) = overRows ? (a.columns, a.rows) : (a.rows, a.columns)
      let memory = memory(for: tiles_bytes(lines, depth) / MemoryLayout<UInt16>.stride, side)
      tiles_pack(
        a.start, a.stride, overRows, lines, depth, side == .left ? TILES_LEFT : TILES_RIGHT, memory)
      return memory
    }

    private func memory(for count: Int, _ side: Side) -> UnsafeMutablePointer<UInt16> {
      (side == .left ? Self.room(count, in: &left) : Self.room(count, in: &right)).start
    }

    /// The numbers rounded to bfloat16, kept as single numbers.
    func rounded(_ a: Matrix, _ side: Side = .left) -> Matrix {
      let count = a.rows * a.columns
      let memory =
        side == .left
        ? Self.room(count, in: &leftSingles) : Self.room(count, in: &rightSingles)
      let rounded = Matrix(memory, rows: a.rows, columns: a.columns)
      a.round(into: rounded)
      return rounded
    }

    /// Memory that is made larger where it has too little room.
    private static func room<Element>(
      _ count: Int, in memory: inout Buffer<Element>
    ) -> Buffer<Element> {
      if memory.count < count { memory = Buffer(count: count) }
      return memory
    }

    /// What distinguishes one product from another.
    private struct Key: Hashable {
      let m, n, k, stride: Int
      let flags: Int
      let layout: OpaquePointer?
    }

    /// oneDNN's product of a shape, made at its first use; nil where there is no fast one.
    func product(_ shape: onednn_shape, _ layout: OpaquePointer?) -> OpaquePointer? {
      let flags =
        (shape.keep ? 1 : 0) + (shape.transpose_a ? 2 : 0) + Int(shape.type.rawValue) * 4
      let key = Key(
        m: shape.m, n: shape.n, k: shape.k, stride: shape.ldc, flags: flags, layout: layout)
      if let known = products[key] { return known }
      // Windows of ever other lengths would fill the memory.
      if products.count >= 512 { freeProducts() }
      let made = onednn_product_make(shape, layout)
      products[key] = .some(made)
      return made
    }

    private func freeProducts() {
      for case let product? in products.values { onednn_product_free(product) }
      products.removeAll(keepingCapacity: true)
    }
  #endif

  /// Says that a layer has multiplied with its weights and that another comes next.
  public func releasePackedWeights() {
    #if !REAL_IS_DOUBLE
      if copiesTakeTurns { memory.giveBack() }
    #endif
  }

  /// To be called after every change of the weights: copies are made anew before their next use.
  public func weightsChanged() { version += 1 }
}
