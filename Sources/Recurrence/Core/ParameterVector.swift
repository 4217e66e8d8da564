public import LinearAlgebra
internal import Sequences

/// The position of each parameter in a `ParameterVector`.
///
/// Parameters lie in the order in which the backward pass completes their gradients, the output
/// layer first. Each starts on a 64-byte boundary; the gap before the next one is zero and stays
/// zero. An embedding that is not tied comes last, because a window touches few of its rows.
/// Constants have memory of their own in the weights; gradients and moments have no constants.
public struct ParameterLayout: Sendable {
  /// The position and properties of one parameter.
  public struct Entry: Sendable {
    public let parameter: Parameter
    /// The name, which is PyTorch's if PyTorch has one, such as `rnn.weight_hh_l0`.
    public let name: String
    /// The layer to which the parameter belongs.
    public let layer: String
    /// The index of its first number.
    public let offset: Int
    public let rows: Int
    public let columns: Int
    /// True for a vector, which is stored as one row but written to files with one dimension.
    public let isVector: Bool
    /// The factor on the learning rate; 0 for a frozen parameter, which does not count in the
    /// gradient norm.
    public internal(set) var rateFactor: Double
    /// The weight decay of the parameter's group; nil for that of the optimizer.
    public internal(set) var weightDecay: Double?
    /// The kind of the parameter, by which groups choose it.
    public let kind: ParameterKind
    /// The width that the matrix reads over that of the model whose rates and initial values it has; 1 for
    /// other parameters, and without a base. `rateFactor` includes its inverse.
    public let widthMultiplier: Double
    /// True if a window touches few rows of its gradient.
    public let isRowSparse: Bool
    /// The share of the rows of a window that are multiplied with it.
    public let products: ProductShare
    let initial: InitialValue
    let constant: ConstantValue?

    public var count: Int { rows * columns }
    /// The number of equal blocks of rows, such as the gates of a cell, that are matrices by themselves.
    public var gates: Int { initial.blocks }
    public var range: Range<Int> { offset..<offset + count }
    /// The dimensions written to files: `[out, in]`, or `[n]` for a vector.
    public var shape: [Int] { isVector ? [columns] : [rows, columns] }
    /// True if the parameter never changes.
    public var isFrozen: Bool { rateFactor == 0 }
  }

  /// The trainable and frozen parameters, in the order of memory.
  public private(set) var entries: [Entry]
  /// The length of the vector, including padding.
  public let count: Int
  /// The constants, which are generated from the seed; their offsets count from the first constant.
  public let constants: [Entry]
  /// The length of the constants, including padding.
  public let constantCount: Int
  /// The parameters cut into blocks of rows, in the order of memory.
  public var blocks: [ParameterBlock] { allBlocks.value }
  private let allBlocks: AllBlocks
  /// The source of memory for vectors of this layout; nil for memory of their own.
  public var memory: (@Sendable (_ count: Int) -> Buffer<Real>)?
  /// The multiplications and additions of products without weights, for a step of a stream in the
  /// forward pass.
  public let stateMultiplyAdds: Int
  let seed: UInt64
  /// The weights of which training drops numbers.
  let droppedWeights: [DroppedWeight]
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
          rateFactor: shape.rateFactor, kind: shape.kind, widthMultiplier: shape.widthMultiplier,
          isRowSparse: shape.isRowSparse, products: shape.products, initial: shape.initial,
          constant: shape.constant))
      offset += (shape.rows * shape.columns + alignment - 1) / alignment * alignment
    }
    for index in order { append(index) }
    count = offset
    offset = 0
    for index in all where plan.parameters[index].constant != nil { append(index) }
    constantCount = offset
    self.entries = Array(entries[..<order.count])
    allBlocks = AllBlocks(of: self.entries)
    constants = Array(entries[order.count...])
    seed = plan.seed
    stateMultiplyAdds = plan.stateMultiplyAdds.values.reduce(0, +)
    droppedWeights = plan.droppedWeights
    var places = [Int](repeating: 0, count: entries.count)
    for (place, entry) in entries.enumerated() { places[entry.parameter.index] = place }
    self.places = places
  }

  /// Gives a parameter the settings of its group.
  /// - Parameters:
  ///   - index: The place in `entries`.
  ///   - rate: A further factor on its learning rate.
  ///   - weightDecay: Its weight decay; nil for that of the optimizer.
  public mutating func change(_ index: Int, rate: Double, weightDecay: Double?) {
    entries[index].rateFactor *= rate
    entries[index].weightDecay = weightDecay
  }

  public subscript(p: Parameter) -> Entry {
    let place = places[p.index]
    return place < entries.count ? entries[place] : constants[place - entries.count]
  }

  /// The number of parameters and constants.
  var parameterCount: Int { places.count }

  /// Returns true if training reads an entry through a masked copy, whose packed copies no other
  /// process shares.
  package func isDropped(_ entry: Entry) -> Bool {
    droppedWeights.contains { $0.parameter == entry.parameter }
  }

  /// The bytes of the masked copies of weights that a training window drops numbers of, and of
  /// their gradients.
  package var bytesOfDroppedWeights: Double {
    let copies = droppedWeights.reduce(0) {
      $0 + Double(DroppedWeights.padded(self[$1.parameter].count))
    }
    let gradients = Double(DroppedWeights.gradientCount(droppedWeights, self))
    return (copies + gradients) * Double(MemoryLayout<Real>.stride)
  }

  /// The number of trainable numbers, without padding and frozen ones; a tied matrix counts once.
  public var learnt: Int { entries.reduce(0) { $0 + ($1.isFrozen ? 0 : $1.count) } }

  /// Returns the entry with a name; nil if there is none.
  public func entry(named name: String) -> Entry? { entries.first { $0.name == name } }
}

/// One number for each number of the parameters: the weights, their gradient, or a moment of an
/// optimizer.
public final class ParameterVector: @unchecked Sendable {
  public private(set) var layout: ParameterLayout
  public let buffer: Buffer<Real>
  /// A counter that increases with every change of the weights; a packed copy of an older version
  /// is packed again.
  public private(set) var version = 0
  /// For each row-sparse parameter, the rows that may not be zero: all rows until `clear`.
  let touched: [RowSet?]
  /// The number format of the operands in products with these weights.
  public var precision = Precision.float32 {
    didSet { if precision != oldValue { (products, dropped) = (nil, nil) } }
  }
  /// True if each row of a product depends on that row only, to the bit. A stream's states are then
  /// the same beside any other streams and for any world size. Slower.
  public var rowsAreIndependent = false {
    didSet { if rowsAreIndependent != oldValue { (products, dropped) = (nil, nil) } }
  }
  /// The sum of squares of each block, as last measured; made at the first use.
  public private(set) lazy var squares = Buffer<Double>(count: layout.blocks.count)
  /// The memory of packed copies that the ranks of a host share; nil for copies of this rank.
  public var sharedPacks: SharedPacks?
  /// The ranges outside of which all numbers are zero, for the next `clear`; nil if they may be anything.
  public var nonzero: [Range<Int>]?
  private let views: UnsafeMutablePointer<Matrix>
  /// The constants; made at the first use of the weights in a pass, so that a gradient or a moment
  /// has none.
  private var constants: Buffer<Real>?
  private var products: WeightProducts?
  /// The masked copies of weights; made at the first training window of a model that has any.
  private var dropped: DroppedWeights?
  /// The part of the parameters that this rank updates; nil for all.
  public var slice: ParameterSlice?

  /// Returns a vector of the same numbers in memory of its own.
  package func copy() -> ParameterVector { copy(into: Buffer(count: layout.count)) }

  /// Returns a vector of the same numbers in the given memory.
  package func copy(into memory: Buffer<Real>) -> ParameterVector {
    let copy = ParameterVector(layout, buffer: memory)
    copy.buffer.copy(from: buffer)
    return copy
  }

  /// Makes a vector of zeros, or one that uses memory which the caller allocated.
  public init(_ layout: ParameterLayout, buffer: Buffer<Real>? = nil) {
    let buffer = buffer ?? layout.memory?(layout.count) ?? Buffer(count: layout.count)
    precondition(
      buffer.count == layout.count, "\(layout.count) parameters in a buffer of \(buffer.count)")
    self.layout = layout
    // Copies of this vector have memory of their own.
    self.layout.memory = nil
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

  /// Returns the memory of an entry's numbers.
  public func elements(of entry: ParameterLayout.Entry) -> UnsafeMutableBufferPointer<Real> {
    buffer.elements(from: entry.offset, count: entry.count)
  }

  /// Returns the products with these weights; made at the first use, so that a gradient or a moment
  /// has none.
  func makeProducts() -> WeightProducts {
    if let products { return products }
    makeConstants()
    let made = WeightProducts(
      (0..<layout.entries.count + layout.constants.count).map { views[$0] }, precision: precision,
      rowsAreIndependent: rowsAreIndependent)
    made.sharedPacks = sharedPacks
    products = made
    return made
  }

  /// Returns the weights of a training window of which some numbers are dropped; nil for a model
  /// without weight dropout.
  func dropWeights(for batch: Batch) -> DroppedWeights? {
    if layout.droppedWeights.isEmpty { return nil }
    let weights = dropped ?? DroppedWeights(layout.droppedWeights, of: self)
    dropped = weights
    weights.make(from: self, for: batch)
    return weights
  }

  /// Changes the weights in `body`. All changes must go through this function, because it
  /// invalidates everything derived from the old weights.
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

  /// Samples every parameter again from the seed and its name.
  public func initialize(seed: UInt64) {
    update { weights in
      for entry in layout.entries {
        entry.initial.draw(into: weights[entry], from: Philox(seed: seed, name: entry.name))
      }
    }
  }
}
