public import LinearAlgebra

/// Where each parameter lies in a `ParameterVector`.
///
/// Parameters lie in the order in which their gradients become final on the way back, the output layer
/// first; each starts on a 64-byte boundary, and the gap before the next is zero and stays zero. An
/// embedding that is not tied comes last: a window touches few of its rows. Constants lie in memory of
/// their own, of the weights alone: gradients and moments have none.
public struct ParameterLayout: Sendable {
  /// One parameter's place and properties.
  public struct Entry: Sendable {
    public let parameter: Parameter
    /// PyTorch's name where PyTorch has one, such as `rnn.weight_hh_l0`.
    public let name: String
    /// The layer it belongs to.
    public let layer: String
    /// Where its first number lies.
    public let offset: Int
    public let rows: Int
    public let columns: Int
    /// A vector is stored as one row but is written to files with one dimension.
    public let isVector: Bool
    /// Factor on the learning rate; 0 for a frozen parameter, which the gradient's norm leaves out.
    public let rateFactor: Double
    /// A window touches few rows of its gradient.
    public let isRowSparse: Bool
    let initial: InitialValue
    let constant: ConstantValue?

    public var count: Int { rows * columns }
    public var range: Range<Int> { offset..<offset + count }
    /// The dimensions written to files: `[out, in]`, or `[n]` for a vector.
    public var shape: [Int] { isVector ? [columns] : [rows, columns] }
    /// It never changes.
    public var isFrozen: Bool { rateFactor == 0 }
  }

  /// What is learnt, in the order in which it lies in memory.
  public let entries: [Entry]
  /// The length of the vector, padding included.
  public let count: Int
  /// What is not learnt and made anew from the seed; offsets count from the first of them.
  public let constants: [Entry]
  /// The length of the constants, padding included.
  public let constantCount: Int
  let seed: UInt64
  private let places: [Int]

  public init(_ plan: Plan) {
    let alignment = 64 / MemoryLayout<Real>.stride
    let all = plan.parameters.indices.reversed()
    let learnt = all.filter { plan.parameters[$0].constant == nil }
    let order =
      learnt.filter { !plan.parameters[$0].isRowSparse }
      + learnt.filter { plan.parameters[$0].isRowSparse }
    var entries: [Entry] = []
    var offset = 0
    func append(_ index: Int) {
      let shape = plan.parameters[index]
      entries.append(
        Entry(
          parameter: Parameter(index: index), name: shape.name, layer: shape.layer,
          offset: offset, rows: shape.rows, columns: shape.columns, isVector: shape.isVector,
          rateFactor: shape.rateFactor, isRowSparse: shape.isRowSparse, initial: shape.initial,
          constant: shape.constant))
      offset += (shape.rows * shape.columns + alignment - 1) / alignment * alignment
    }
    for index in order { append(index) }
    count = offset
    offset = 0
    for index in all where plan.parameters[index].constant != nil { append(index) }
    constantCount = offset
    self.entries = Array(entries[..<order.count])
    constants = Array(entries[order.count...])
    seed = plan.seed
    var places = [Int](repeating: 0, count: entries.count)
    for (place, entry) in entries.enumerated() { places[entry.parameter.index] = place }
    self.places = places
  }

  public subscript(p: Parameter) -> Entry {
    let place = places[p.index]
    return place < entries.count ? entries[place] : constants[place - entries.count]
  }

  /// The number of learnt numbers, padding and frozen ones left out; a tied matrix counts once.
  public var learnt: Int { entries.reduce(0) { $0 + ($1.isFrozen ? 0 : $1.count) } }

  /// The entry of a name.
  public func entry(named name: String) -> Entry? { entries.first { $0.name == name } }
}

/// One number for every number that is learnt: the weights, their gradient, or a moment of an optimizer.
public final class ParameterVector: @unchecked Sendable {
  public let layout: ParameterLayout
  public let buffer: Buffer<Real>
  /// Rises with every change of the weights; a packed copy older than this is packed again.
  public private(set) var version = 0
  /// By parameter; of row-sparse ones, the rows that may not be zero. All of them until `clear`.
  let touched: [RowSet?]
  /// The numbers that products with these weights multiply.
  public var precision = Precision.float32 {
    didSet { if precision != oldValue { products = nil } }
  }
  /// Whether the rows of a pass depend on nothing but themselves, to the bit: whatever a stream's
  /// states become is then the same beside any other streams, and on any number of ranks. Slower.
  public var rowsAreIndependent = false {
    didSet { if rowsAreIndependent != oldValue { products = nil } }
  }
  private let views: UnsafeMutablePointer<Matrix>
  /// Made at the first use of the weights in a pass, so that a gradient or a moment has none.
  private var constants: Buffer<Real>?
  private var products: WeightProducts?

  /// A vector of zeros, or one that lives in memory allocated by somebody else.
  public init(_ layout: ParameterLayout, buffer: Buffer<Real>? = nil) {
    let buffer = buffer ?? Buffer(count: layout.count)
    precondition(
      buffer.count == layout.count, "\(layout.count) parameters in a buffer of \(buffer.count)")
    self.layout = layout
    self.buffer = buffer
    let views = layout.entries.count + layout.constants.count
    var touched = [RowSet?](repeating: nil, count: views)
    for entry in layout.rowSparse {
      touched[entry.parameter.index] = RowSet(of: entry.rows, isFull: true)
    }
    self.touched = touched
    self.views = .allocate(capacity: max(views, 1))
    for entry in layout.constants {
      (self.views + entry.parameter.index).initialize(
        to: Matrix(self.buffer.start, rows: 0, columns: entry.columns))
    }
    for entry in layout.entries {
      (self.views + entry.parameter.index).initialize(
        to: Matrix(buffer.start + entry.offset, rows: entry.rows, columns: entry.columns))
    }
  }

  deinit { views.deallocate() }

  /// The stored matrix of a parameter, `[out, in]`, or one row for a vector.
  public subscript(p: Parameter) -> Matrix { views[p.index] }

  /// The stored matrix of an entry of the layout.
  public subscript(entry: ParameterLayout.Entry) -> Matrix { views[entry.parameter.index] }

  /// The numbers of an entry as the memory they are.
  public func elements(of entry: ParameterLayout.Entry) -> UnsafeMutableBufferPointer<Real> {
    buffer.elements(from: entry.offset, count: entry.count)
  }

  /// What multiplies by these weights; made at its first use, so that a gradient or a moment has none.
  func makeProducts() -> WeightProducts {
    if let products { return products }
    makeConstants()
    let made = WeightProducts(
      (0..<layout.entries.count + layout.constants.count).map { views[$0] }, precision: precision)
    made.rowsAreIndependent = rowsAreIndependent
    products = made
    return made
  }

  /// The one way to change weights: everything that was derived from the old ones is made anew.
  public func update<Failure: Error>(
    _ body: (ParameterVector) throws(Failure) -> Void
  ) throws(Failure) {
    defer {
      version += 1
      products?.weightsChanged()
    }
    try body(self)
  }

  private func makeConstants() {
    guard constants == nil, !layout.constants.isEmpty else { return }
    let memory = Buffer<Real>(count: layout.constantCount)
    for entry in layout.constants {
      let matrix = Matrix(memory.start + entry.offset, rows: entry.rows, columns: entry.columns)
      entry.constant!.make(matrix, Philox(seed: layout.seed, name: entry.name))
      views[entry.parameter.index] = matrix
    }
    constants = memory
  }

  /// Draws every parameter anew from the seed and its name.
  public func initialize(seed: UInt64) {
    update { weights in
      for entry in layout.entries {
        entry.initial.draw(into: weights[entry], from: Philox(seed: seed, name: entry.name))
      }
    }
  }
}
