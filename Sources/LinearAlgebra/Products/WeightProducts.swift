/// The products with one model's parameters: their precision, the packed copies of the weights, and
/// the memory for rounded factors.
///
/// It belongs to the weights it was made for and to the thread that uses them.
public final class WeightProducts {
  public let precision: Precision
  /// The rows of a product at one time step if a window has many steps; 0 if it has one.
  public var rowsOfStep = 0
  /// A clock that counts the time of products with the weights; nil to count nothing.
  public var clock: ProductClock?
  /// Large copies of the weights use the same memory, one layer after the other, each until
  /// `releasePackedWeights`. For training: every copy is made anew in each step anyway.
  public var copiesTakeTurns = false
  /// Each row of a product x · W depends on that row of x and on W alone, to the bit, and not on the
  /// number of rows beside it; slower.
  public let rowsAreIndependent: Bool
  /// The memory of copies that several processes share; nil for copies of this process.
  public var sharedPacks: SharedPacks?
  /// A number that rises with every change of the weights.
  private(set) var version = 0

  private var weights: [WeightProduct] = []
  private var gradient = GradientProduct()

  /// Makes the products with these weights, which stay at their place in memory.
  public convenience init(
    _ weights: [Matrix], precision: Precision, rowsAreIndependent: Bool = false
  ) {
    self.init(
      weights, precision: precision, rowsAreIndependent: rowsAreIndependent,
      path: LinearAlgebra.weightPath(for: precision, rowsAreIndependent: rowsAreIndependent))
  }

  package convenience init(_ weights: [Matrix], path: WeightPath) {
    self.init(weights, precision: path.precision, rowsAreIndependent: false, path: path)
  }

  private init(
    _ weights: [Matrix], precision: Precision, rowsAreIndependent: Bool, path: WeightPath
  ) {
    self.precision = precision
    self.rowsAreIndependent = rowsAreIndependent
    (self.weights, gradient) = path.make(weights, self)
    for (index, weight) in self.weights.enumerated() { weight.index = index }
  }

  /// Returns weight number `index` as a factor.
  public func weight(_ index: Int, _ stored: Matrix) -> Weight {
    Weight(stored, isTransposed: false, product: weights[index])
  }

  /// Returns a gradient of these weights.
  public func gradient(_ stored: Matrix) -> WeightGradient {
    WeightGradient(stored, products: self)
  }

  /// G += Aᵀ B.
  func addGradient(_ a: Matrix, _ b: Matrix, to g: Matrix) {
    guard a.rows > 0, a.columns > 0, b.columns > 0 else { return g.addProduct(a.transposed, b) }
    precondition(
      a.columns == g.rows && a.rows == b.rows && b.columns == g.columns,
      "product of \(a.columns)×\(a.rows) and \(b.rows)×\(b.columns) into \(g.rows)×\(g.columns)")
    gradient.add(a, b, to: g)
  }

  /// Returns the bytes that the copies of a weight take, for x · W and for the backward pass.
  /// - Parameter rowsOfStep: the rows of a product at one time step.
  package static func bytesOfCopies(
    rows: Int, columns: Int, rowsOfStep: Int, precision: Precision
  ) -> (forward: Double, backward: Double) {
    LinearAlgebra.weightPath(for: precision).bytesOfCopies(
      Double(rows) * Double(columns), rowsOfStep)
  }

  /// Returns the bytes of a number that is rounded before it is multiplied; 0 if none is.
  package static func bytesOfRounded(_ precision: Precision) -> Int {
    LinearAlgebra.weightPath(for: precision).bytesOfRounded
  }

  /// The least bytes of a copy that takes turns with others.
  package static let leastOfTurns = 1 << 20

  /// Marks the end of one layer's products: copies of the next layer may use the memory of its copies.
  public func releasePackedWeights() {
    #if !REAL_IS_DOUBLE
      if copiesTakeTurns { memory.release() }
    #endif
  }

  /// Marks the copies as out of date. To be called after every change of the weights.
  public func weightsChanged() { version += 1 }

  // MARK: Memory for paths

  #if !REAL_IS_DOUBLE
    /// The memory of copies that take turns.
    let memory = PackMemory()
    private var left = Buffer<UInt16>(count: 0)
    private var right = Buffer<UInt16>(count: 0)
    private var leftSingles = Buffer<Float>(count: 0)
    private var rightSingles = Buffer<Float>(count: 0)

    /// The factors of a product, each with memory of its own.
    enum Side { case left, right }

    /// Returns the numbers rounded to bfloat16, in memory that the next call for this side overwrites.
    func roundedBits(_ a: Matrix, _ side: Side) -> UnsafeMutablePointer<UInt16> {
      let memory = memory(for: a.rows * a.columns, side)
      a.round(into: memory)
      return memory
    }

    /// Returns memory for so many bfloat16 numbers, which the next call for this side overwrites.
    func memory(for count: Int, _ side: Side) -> UnsafeMutablePointer<UInt16> {
      (side == .left ? Self.room(count, in: &left) : Self.room(count, in: &right)).start
    }

    /// Returns the numbers rounded to bfloat16 but stored in single precision, in memory that the next
    /// call for this side overwrites.
    func rounded(_ a: Matrix, _ side: Side) -> Matrix {
      let count = a.rows * a.columns
      let memory =
        side == .left
        ? Self.room(count, in: &leftSingles) : Self.room(count, in: &rightSingles)
      let rounded = Matrix(memory, rows: a.rows, columns: a.columns)
      a.round(into: rounded)
      return rounded
    }

    /// Returns the memory, after making it larger if it has too little room.
    private static func room<Element>(
      _ count: Int, in memory: inout Buffer<Element>
    ) -> Buffer<Element> {
      if memory.count < count { memory = Buffer(count: count) }
      return memory
    }
  #endif
}
