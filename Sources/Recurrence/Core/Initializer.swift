public import LinearAlgebra

/// The default distribution of a parameter's initial values, which is that of PyTorch.
public enum Distribution: Hashable, Sendable {
  case zero
  case uniform(Double)
  case normal(Double)
  /// Orthonormal rows or columns, times a factor (Saxe 2013).
  case orthogonal(Double)
  /// Every block the identity, with any initializer but `uniform`, which draws every parameter.
  case identity
}

/// The initialisation of a model's or a layer's parameters.
///
/// - `pytorch`: As in PyTorch's module of the same name: U(±1/√hidden) in a recurrent layer,
///   U(±1/√inputs) in a linear one, N(0, 1) in an embedding.
/// - `uniform`: every parameter, biases too, from U(±s) (Zaremba 2014).
/// - `normal`: weights from N(0, s²), biases zero.
/// - `xavier`: weights of each gate from U(±√(6/(in + out))), biases zero (Glorot & Bengio 2010).
/// - `lecun`: weights from N(0, 1/in), biases zero (LeCun 1998).
/// - `orthogonal`: each gate's matrix has orthonormal rows or columns, biases zero (Saxe 2013).
/// - `scaledOrthogonal`: the same times s √max(1, out/in), so that a row has the length s on average (Peng 2025).
public enum Initializer: Hashable, Sendable {
  case pytorch
  case uniform(Double)
  case normal(Double)
  case xavier
  case lecun
  case orthogonal
  case scaledOrthogonal(Double)

  /// True if every parameter is drawn, also those that start from fixed numbers with the others.
  var isUniform: Bool {
    if case .uniform = self { return true }
    return false
  }
}

/// The complete rule for a parameter's initial values; with its name and the seed it decides them.
public struct InitialValue: Sendable {
  /// Part `index` of `count` equal parts of a vector, which gets values of its own.
  public struct Part: Sendable {
    let index: Int
    let count: Int
    let values: Values

    public init(_ index: Int, of count: Int, _ value: Double) {
      self.init(index, of: count, .constant(value))
    }

    public init(_ index: Int, of count: Int, _ values: Values) {
      self.index = index
      self.count = count
      self.values = values
    }
  }

  /// The values of a part.
  public enum Values: Sendable {
    case constant(Double)
    /// sign · ln U(1, T − 1): a gate with the bias ln(τ − 1) keeps its memory for about τ steps
    /// (Tallec & Ollivier 2018). Element j of every part of a vector uses the same random number.
    case chrono(longest: Int, sign: Double)
    /// The rank of each symbol; nil for its index.
    case ranks([Int32]?)
    /// The numbers themselves.
    case given([Double])
    /// a + b (j/(n−1))ᵉ for number j of the n of the part (Peng 2023, Beck 2024).
    case power(from: Double, by: Double, exponent: Double)
    /// N(0, s²)
    case normal(Double)
    /// ln U(a, b) (Dao & Gu 2024).
    case logarithm(from: Double, to: Double)
    /// b with softplus(b) = max(exp U(ln a, ln b), c): the first time steps of a state space (Gu 2023).
    case timeSteps(from: Double, to: Double, least: Double)
    /// Λ with softplus(Λ) = −ln ρ and ρ² uniform between the squares of two radii (De 2024).
    case ring(from: Double, to: Double)
  }

  let initializer: Initializer
  /// True if every block starts as the identity.
  private let isIdentity: Bool
  let blocks: Int
  let parts: [Part]
  /// The last rows of a matrix that start at zero.
  let zeroRows: Int
  /// The factor on the random numbers of a model whose width has a base.
  private let scale: Double

  init(
    _ initializer: Initializer, _ pytorch: Distribution, isVector: Bool, blocks: Int,
    _ width: WidthScaling = WidthScaling(), parts: [Part] = [], zeroRows: Int = 0
  ) {
    self.zeroRows = zeroRows
    var scale = width.scale(initializer, pytorch)
    isIdentity = !initializer.isUniform && pytorch == .identity
    switch initializer {
    case .pytorch:
      switch pytorch {
      case .orthogonal(let factor):
        self.initializer = .orthogonal
        scale *= factor
      case .zero, .identity: self.initializer = .uniform(0)
      case .uniform(let s): self.initializer = .uniform(s)
      case .normal(let s): self.initializer = .normal(s)
      }
    case .uniform: self.initializer = initializer
    case .normal, .xavier, .lecun, .orthogonal, .scaledOrthogonal:
      self.initializer = isVector ? .uniform(0) : initializer
    }
    self.scale = scale
    self.blocks = blocks
    self.parts = parts
  }

  /// Fills a parameter's matrix with random numbers; every rank gets the same numbers.
  // Long because every rule has its lines.
  func draw(into matrix: Matrix, from random: Philox) {
    let block = matrix.rows / blocks
    if isIdentity {
      matrix.fill(0)
      for i in 0..<matrix.rows { matrix[i, i % block] = 1 }
      return
    }
    switch initializer {
    case .pytorch: preconditionFailure("resolved when the parameter was planned")
    case .uniform(let s): random.fillUniform(matrix, scale: s * scale)
    case .normal(let s): random.fillNormal(matrix, scale: s * scale)
    case .xavier:
      let s = (6 / Double(max(block + matrix.columns, 1))).squareRoot()
      random.fillUniform(matrix, scale: s * scale)
    case .lecun:
      let s = (1 / Double(max(matrix.columns, 1))).squareRoot()
      random.fillNormal(matrix, scale: s * scale)
    case .orthogonal: fillOrthogonal(matrix, from: random, scale)
    case .scaledOrthogonal(let s):
      let ratio = Double(block) / Double(max(matrix.columns, 1))
      fillOrthogonal(matrix, from: random, s * max(1, ratio).squareRoot() * scale)
    }
    matrix.slice(rows: matrix.rows - zeroRows..<matrix.rows).fill(0)
    for part in parts {
      fill(matrix[0].part(part.index, of: part.count), part.values, matrix.columns, random)
    }
  }

  /// Sets a part of a vector. Its random numbers continue those of the vector itself after its last one.
  private func fill(_ row: Row, _ values: Values, _ count: Int, _ random: Philox) {
    let first = UInt64(count)
    switch values {
    case .constant(let value): for j in 0..<row.count { row[j] = Real(value) }
    case .given(let values):
      precondition(values.count == row.count, "\(values.count) values for \(row.count)")
      for j in 0..<row.count { row[j] = Real(values[j]) }
    case .ranks(let ranks):
      precondition(ranks == nil || ranks?.count == row.count, "ranks of other symbols")
      for j in 0..<row.count { row[j] = Real(ranks?[j] ?? Int32(j)) }
    case .chrono(let longest, let sign):
      for j in 0..<row.count {
        let u = random.uniform(first + UInt64(j))
        row[j] = Real(sign * naturalLogarithm(1 + Double(longest - 2) * u))
      }
    case .power(let start, let span, let exponent):
      for j in 0..<row.count {
        let place = Double(j) / Double(max(row.count - 1, 1))
        let power = place > 0 ? LinearAlgebra.power(place, exponent) : 0
        row[j] = Real(start + span * power)
      }
    case .normal(let spread): random.fillNormal(row, from: first, scale: spread)
    case .logarithm(let least, let most):
      for j in 0..<row.count {
        let u = random.uniform(first + UInt64(j))
        row[j] = Real(naturalLogarithm(least + (most - least) * u))
      }
    case .timeSteps(let shortest, let longest, let least):
      let (from, to) = (naturalLogarithm(shortest), naturalLogarithm(longest))
      for j in 0..<row.count {
        let u = random.uniform(first + UInt64(j))
        let step = max(exponential(from + (to - from) * u), least)
        row[j] = Real(naturalLogarithm(exponential(step) - 1))
      }
    case .ring(let inner, let outer):
      for j in 0..<row.count {
        let u = random.uniform(first + UInt64(j))
        let radius = (inner * inner + (outer * outer - inner * inner) * u).squareRoot()
        row[j] = Real(naturalLogarithm(1 / radius - 1))
      }
    }
  }
}

extension InitialValue {
  private func fillOrthogonal(_ matrix: Matrix, from random: Philox, _ scale: Double) {
    let block = matrix.rows / blocks
    random.fillNormal(matrix, scale: 1)
    for k in 0..<blocks {
      makeOrthonormal(matrix.slice(rows: k * block..<(k + 1) * block))
    }
    if scale != 1 { for i in 0..<matrix.rows { matrix[i].scale(by: Real(scale)) } }
  }
}

/// A rule for constants: a function of random numbers alone, which gives the same bits everywhere.
public struct ConstantValue: Sendable {
  let make: @Sendable (Matrix, Philox) -> Void

  public init(_ make: @escaping @Sendable (Matrix, Philox) -> Void) { self.make = make }
}
