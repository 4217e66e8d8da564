internal import LinearAlgebra

/// A block of weights: part `part` of `count` blocks of a matrix's outputs, with all of its inputs or as
/// many of the first as make it square.
public struct WeightBlock: Sendable {
  private let parameter: Parameter
  private let part: Int
  private let count: Int
  private let isSquare: Bool

  init(_ parameter: Parameter, _ part: Int = 0, of count: Int = 1) {
    (self.parameter, self.part, self.count, isSquare) = (parameter, part, count, false)
  }

  /// All outputs of as many inputs, the first.
  init(leftSquareOf parameter: Parameter) {
    (self.parameter, part, count, isSquare) = (parameter, 0, 1, true)
  }

  /// [outputs, inputs]
  func matrix(in weights: ParameterVector) -> Matrix {
    let whole = weights[parameter]
    let height = whole.rows / count
    return whole.slice(rows: part * height..<(part + 1) * height)
      .slice(columns: 0..<(isSquare ? height : whole.columns))
  }
}

/// What a state is multiplied with on its way to the next step where every function on it has slope 1:
/// `A = U_1 U_2 … U_L + S`, square.
public enum Transition: Sendable {
  /// The factors U in the order in which the state meets them, and S.
  case product([WeightBlock], shortcut: WeightBlock?)
  /// One matrix for each input j, `A_ik = W_kij`, of a layer whose W has a row for each pair of units.
  case ofEachInput

  init(_ factors: [WeightBlock], shortcut: WeightBlock? = nil) {
    self = .product(factors, shortcut: shortcut)
  }

  init(_ weight: WeightBlock) { self.init([weight]) }

  /// The largest modulus of an eigenvalue, of several matrices the largest of all; nil without any.
  /// - Parameter input: W, `[outputs, inputs]`.
  func spectralRadius(in weights: ParameterVector, input: Parameter?) -> Double? {
    switch self {
    case .product(let factors, let shortcut):
      return Self.spectralRadius(
        of: factors.map { $0.matrix(in: weights) }, shortcut?.matrix(in: weights))
    case .ofEachInput:
      return input.flatMap { Self.spectralRadius(ofEachInputOf: weights[$0]) }
    }
  }

  /// Matrices are `[outputs, inputs]`, so the last factor stands leftmost.
  private static func spectralRadius(of factors: [Matrix], _ shortcut: Matrix?) -> Double {
    guard factors.count > 1 || shortcut != nil else { return factors[0].spectralRadius }
    let inputs = factors[0].columns
    let memory = factors.map { Buffer<Real>(count: $0.rows * inputs) }
    return withExtendedLifetime(memory) {
      let products = zip(factors, memory).map { Matrix($1, rows: $0.rows, columns: inputs) }
      products[0].copy(factors[0])
      for k in 1..<factors.count { products[k].setProduct(factors[k], products[k - 1]) }
      let product = products[factors.count - 1]
      if let shortcut { product.add(shortcut) }
      return product.spectralRadius
    }
  }

  private static func spectralRadius(ofEachInputOf w: Matrix) -> Double? {
    let units = Int(Double(w.rows).squareRoot())
    precondition(units * units == w.rows, "\(w.rows) pairs of units")
    let memory = Buffer<Real>(count: w.rows)
    let square = Matrix(memory, rows: units, columns: units)
    return withExtendedLifetime(memory) {
      (0..<w.columns).map { j in
        for k in 0..<units {
          for i in 0..<units { square[k, i] = w[k * units + i, j] }
        }
        return square.spectralRadius
      }.max()
    }
  }
}
