internal import LinearAlgebra

/// A block of a weight matrix: block `part` of `count` along its outputs, with all inputs or with
/// the first ones that make it square.
public struct WeightBlock: Sendable {
  private let parameter: Parameter
  private let part: Int
  private let count: Int
  private let isSquare: Bool

  public init(_ parameter: Parameter, _ part: Int = 0, of count: Int = 1) {
    (self.parameter, self.part, self.count, isSquare) = (parameter, part, count, false)
  }

  /// Takes all outputs and the first inputs that make the block square.
  public init(leftSquareOf parameter: Parameter) {
    (self.parameter, part, count, isSquare) = (parameter, 0, 1, true)
  }

  /// Returns the block as [outputs, inputs].
  func matrix(in weights: ParameterVector) -> Matrix {
    let whole = weights[parameter]
    let height = whole.rows / count
    return whole.slice(rows: part * height..<(part + 1) * height)
      .slice(columns: 0..<(isSquare ? height : whole.columns))
  }
}

/// The Jacobian of one state with respect to the state before it, if every nonlinearity had slope
/// 1: `A = U_1 U_2 … U_L + S`, a square matrix.
public enum Transition: Sendable {
  /// The factors U, in the order in which the state is multiplied by them, and S.
  case product([WeightBlock], shortcut: WeightBlock?)
  /// One matrix per input j, `A_ik = W_kij`, for a layer whose W has one row per pair of units.
  case ofEachInput

  public init(_ factors: [WeightBlock], shortcut: WeightBlock? = nil) {
    self = .product(factors, shortcut: shortcut)
  }

  public init(_ weight: WeightBlock) { self.init([weight]) }

  /// Returns the largest absolute eigenvalue, over all matrices if there are several; nil if there
  /// is none.
  /// - Parameter input: W as `[outputs, inputs]`.
  func spectralRadius(in weights: ParameterVector, input: Parameter?) -> Double? {
    switch self {
    case .product(let factors, let shortcut):
      return Self.spectralRadius(
        of: factors.map { $0.matrix(in: weights) }, shortcut?.matrix(in: weights))
    case .ofEachInput:
      return input.flatMap { Self.spectralRadius(ofEachInputOf: weights[$0]) }
    }
  }

  /// Multiplies the factors. Matrices are `[outputs, inputs]`, so the last factor stands leftmost.
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
