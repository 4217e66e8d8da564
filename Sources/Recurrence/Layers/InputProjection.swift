internal import LinearAlgebra
internal import Sequences

/// The affine map of a layer's input, for all steps of a window at once: `y = x W + b + b′`, plus
/// `z R` for a condition z of the stream.
///
/// If x is an embedding lookup, y depends on the symbol only. Let S be the matrix that selects for
/// each row its symbol among the window's D distinct ones, and E the D rows of the table:
///
///     P = E W + b + b′,   y = S P
///     ∂P = Sᵀ ∂y,   ∂W += Eᵀ ∂P,   ∂b += Σ ∂P,   ∂E += ∂P Wᵀ
///
/// The three products then have D rows instead of one per step of each stream. If x is the symbol
/// itself, as a one-hot row, E W are D rows of W.
struct InputProjection: Sendable {
  private let source: LayerInput
  /// True if streams are read from their ends; of symbols only.
  private let isReversed: Bool
  /// True if y is x, without W and b.
  private let isIdentity: Bool
  let weight: Parameter?
  /// The bias of the last columns of y; nil for none.
  private let bias: Parameter?
  /// b′, where a cell only adds it to the preactivation: both are summed before the loop and get the same
  /// gradient.
  private let secondBias: Parameter?
  /// True if W and b are constants.
  private let isFixed: Bool
  private let conditions: [Condition]
  private let length: LengthProjection?
  private let sums: Scratch
  /// E and P, or their gradients, if symbols are read.
  private let rows, projected: Scratch?

  /// - Parameters:
  ///   - isIdentity: True for y = x, an activation of the same width.
  ///   - names: The names of W and b.
  ///   - gates: The number of equal blocks stacked in W.
  ///   - biasedGates: The number of blocks, counted from the last, that have a bias.
  ///   - zeroRows: The number of columns of y, the last ones, whose weights start at zero.
  ///   - secondBias: b′, a parameter of the caller.
  ///   - fixed: The rules for W and b if they are constants.
  ///   - isTurned: True if the symbols of each stream are read from its end to its beginning.
  ///   - conditions: The vectors z, on the axis of streams. R is named like W, with the name of z
  ///     appended.
  ///   - length: The length input, which has a matrix of the same kind.
  init(
    _ width: Int, reading source: LayerInput, isReversed: Bool = false, isIdentity: Bool = false,
    names: (weight: String, bias: String), gates: Int = 1, biasedGates: Int? = nil,
    pytorch spread: Distribution, parts: [InitialValue.Part] = [], zeroRows: Int = 0,
    secondBias: Parameter? = nil, conditions: [StreamCondition] = [],
    length: LengthInput = .none,
    fixed: (weight: ConstantValue, bias: ConstantValue)? = nil, in plan: inout Plan
  ) {
    let read = plan.width(source)
    self.source = read == 0 ? .nothing : source
    self.isReversed = isReversed
    self.isIdentity = isIdentity
    self.secondBias = secondBias
    isFixed = fixed != nil
    if read == 0 || isIdentity {
      precondition(!isIdentity || read == width, "a cell of \(width) units reads \(read) itself")
      weight = nil
    } else if let fixed {
      weight = plan.constant(names.weight, rows: width, columns: read, fixed.weight)
    } else {
      weight = plan.parameter(
        names.weight, from: read, to: width, gates: gates, pytorch: spread,
        kind: source.readsOneHot ? .embedding : nil, readsData: source.isData, zeroRows: zeroRows)
    }
    let biased = isIdentity ? 0 : width / gates * (biasedGates ?? gates)
    precondition(secondBias == nil || biased == width, "a second bias without all of the first")
    if biased == 0 {
      bias = nil
    } else if let fixed {
      bias = plan.constant(names.bias, rows: 1, columns: biased, fixed.bias)
    } else {
      bias = plan.vector(names.bias, count: biased, pytorch: spread, parts: parts)
    }
    self.conditions = conditions.map {
      Condition($0, width, name: names.weight + "_" + $0.name, gates: gates, spread, in: &plan)
    }
    self.length = LengthProjection(
      length, width, name: names.weight + "_length", gates: gates, spread, in: &plan)
    sums = plan.scratch(width)
    switch self.source {
    case .activation, .frames, .nothing: (rows, projected) = (nil, nil)
    case .lookup(let lookup):
      rows = plan.scratch(lookup.width, rows: .each(of: lookup.vocabulary))
      projected = plan.scratch(width, rows: .each(of: lookup.vocabulary))
    case .symbols(let count):
      rows = nil
      projected = plan.scratch(width, rows: .each(of: count))
    }
  }

  func forward(into y: Matrix, _ pass: Pass) {
    switch source {
    case .activation(let x) where isIdentity: y.copy(pass[x])
    case .activation(let x): project(pass[x], into: y, pass)
    case .frames: project(pass.batch.featureRows, into: y, pass)
    case .nothing: addBiases(to: y, pass)
    case .lookup(let lookup):
      let e = matrix(rows!, lookup.width, pass)
      let p = matrix(projected!, y.columns, pass)
      lookup.read(into: e, pass)
      pass.mark(.embedding)
      project(e, into: p, pass)
      y.gather(p, at: places(pass))
    case .symbols:
      let p = matrix(projected!, y.columns, pass)
      addBiases(to: p, pass)
      p.addColumns(of: pass[weight!].matrix, at: pass.batch.distinct.symbols)
      y.gather(p, at: places(pass))
    }
    for condition in conditions { condition.forward(into: y, pass) }
    length?.forward(into: y, pass)
  }

  /// Accumulates the gradients of the parameters and of the input.
  /// The weight and the biases, whose gradients are final before that of the input.
  var ownParameters: Set<Parameter> { Set([weight, bias, secondBias].compactMap(\.self)) }

  func backward(from dy: Matrix, _ pass: Pass) {
    for condition in conditions { condition.backward(from: dy, pass) }
    length?.backward(from: dy, pass)
    switch source {
    case .activation(let x) where isIdentity:
      pass.finishPart()
      pass.d[x].add(dy)
    case .activation(let x):
      accumulate(dy, pass[x], pass)
      pass.finishPart()
      pass.d[x].addProduct(dy, pass[weight!].transposed)
    case .frames: accumulate(dy, pass.batch.featureRows, pass)
    case .nothing: accumulateBiases(dy, pass)
    case .lookup(let lookup):
      let e = matrix(rows!, lookup.width, pass)
      let dp = matrix(projected!, dy.columns, pass)
      dp.fill(0)
      dp.addScattered(dy, at: places(pass))
      lookup.read(into: e, pass)
      accumulate(dp, e, pass)
      pass.finishPart()
      // E is not needed any more, so its gradient replaces it.
      e.setProduct(dp, pass[weight!].transposed)
      pass.mark(.input)
      lookup.add(e, pass)
      pass.mark(.embedding)
    case .symbols:
      let dp = matrix(projected!, dy.columns, pass)
      dp.fill(0)
      dp.addScattered(dy, at: places(pass))
      if isFixed { return }
      pass.d[weight!].addToColumns(dp, at: pass.batch.distinct.symbols)
      accumulateBiases(dp, pass)
    }
  }

  private func places(_ pass: Pass) -> Buffer<Int32> {
    isReversed ? pass.batch.distinct.reversedPlaces : pass.batch.distinct.places
  }

  private func matrix(_ scratch: Scratch, _ columns: Int, _ pass: Pass) -> Matrix {
    Matrix(pass.scratch(scratch), rows: pass.batch.distinct.count, columns: columns)
  }

  private func project(_ x: Matrix, into y: Matrix, _ pass: Pass) {
    addBiases(to: y, pass)
    y.addProduct(x, pass[weight!])
  }

  /// y = b + b′ in every row
  private func addBiases(to y: Matrix, _ pass: Pass) {
    guard let bias else { return y.fill(0) }
    let b = pass[bias].matrix
    let biases = y.slice(rows: 0..<1)
    let unbiased = y.columns - b.columns
    biases.slice(columns: 0..<unbiased).fill(0)
    biases.slice(columns: unbiased..<y.columns).copy(b)
    if let secondBias { biases.add(pass[secondBias].matrix) }
    y.slice(rows: 1..<y.rows).fillEveryRow(biases[0])
  }

  private func accumulate(_ dy: Matrix, _ x: Matrix, _ pass: Pass) {
    if isFixed { return }
    pass.d[weight!].addProduct(dy.transposed, x)
    accumulateBiases(dy, pass)
  }

  private func accumulateBiases(_ dy: Matrix, _ pass: Pass) {
    guard !isFixed, let bias else { return }
    let total = Matrix(pass.scratch(sums), rows: 1, columns: dy.columns)
    total.fill(0)
    total.addColumnSums(dy)
    let db = pass.d[bias]
    db.add(total.slice(columns: dy.columns - db.matrix.columns..<dy.columns))
    if let secondBias { pass.d[secondBias].add(total) }
  }
}

/// `z R`, added at every step of a stream or at its first.
private struct Condition: Sendable {
  let input: Activation
  let isAtStart: Bool
  let weight: Parameter
  let projected: Scratch

  init(
    _ conditioning: StreamCondition, _ width: Int, name: String, gates: Int,
    _ spread: Distribution, in plan: inout Plan
  ) {
    input = conditioning.vector
    isAtStart = conditioning.isAtStart
    weight = plan.parameter(
      name, from: plan.width(input), to: width, gates: gates, pytorch: spread, readsData: true)
    projected = plan.scratch(width, rows: .streams)
  }

  func forward(into y: Matrix, _ pass: Pass) {
    let p = Matrix(pass.scratch(projected), rows: pass.streams, columns: y.columns)
    p.setProduct(pass[input], pass[weight])
    for t in 0..<steps(pass) {
      y.slice(rows: t * pass.streams..<(t + 1) * pass.streams).add(p)
    }
  }

  private func steps(_ pass: Pass) -> Int {
    isAtStart ? (pass.batch.position == 0 ? 1 : 0) : pass.steps
  }

  /// ∂R += zᵀ Σ ∂y, ∂z += Σ ∂y Rᵀ
  func backward(from dy: Matrix, _ pass: Pass) {
    let dp = Matrix(pass.scratch(projected), rows: pass.streams, columns: dy.columns)
    dp.fill(0)
    for t in 0..<steps(pass) {
      dp.add(dy.slice(rows: t * pass.streams..<(t + 1) * pass.streams))
    }
    pass.d[weight].addProduct(dp.transposed, pass[input])
    pass.d[input].addProduct(dp, pass[weight].transposed)
  }
}
