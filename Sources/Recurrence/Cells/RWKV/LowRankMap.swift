internal import LinearAlgebra

/// A product of two narrow matrices with a function between them, `y = b + f(x A) B`.
///
/// A starts at zero, and B with orthogonal rows or columns times 0.1 unless the cell says otherwise.
struct LowRankMap: Sendable {
  enum Function { case identity, tanh, sigmoid }

  /// A, B and b.
  private let down, up: Parameter
  private let bias: Parameter?
  /// f(x A)
  private let inner: Activation
  private let function: Function

  /// - Parameters:
  ///   - name: the letter before 0 in the name of b, before 1 in that of A and before 2 in that of B.
  ///   - first: the first values of b; nil for no b.
  ///   - spread: the first values of B; nil for the orthogonal ones.
  init(
    _ name: String, width: Int, rank: Int, _ function: Function, bias first: [Double]?,
    spread: Distribution? = nil, in plan: inout Plan
  ) {
    self.function = function
    bias = first.map {
      plan.vector(
        name + "0", count: width, pytorch: .zero, parts: [.init(0, of: 1, .given($0))])
    }
    down = plan.parameter(name + "1", from: width, to: rank, pytorch: .zero)
    let gain = rank > width ? (Double(rank) / Double(width)).squareRoot() : 1
    up = plan.parameter(
      name + "2", from: rank, to: width, pytorch: spread ?? .orthogonal(0.1 * gain))
    inner = plan.activation(rank)
  }

  /// Computes y for some rows of the window.
  func forward(_ x: Matrix, into y: Matrix, _ rows: Range<Int>, _ pass: Pass) {
    let h = pass[inner].slice(rows: rows)
    h.setProduct(x, pass[down])
    switch function {
    case .identity: break
    case .tanh: for i in 0..<h.rows { setTanh(h[i]) }
    case .sigmoid: for i in 0..<h.rows { setSigmoid(h[i]) }
    }
    y.setProduct(h, pass[up])
    if let bias { y.addToEveryRow(pass[bias].row) }
  }

  /// Adds to the gradients of A, B and b.
  func backward(_ dy: Matrix, reading x: Matrix, _ rows: Range<Int>, _ pass: Pass) {
    let (h, dh) = (pass[inner].slice(rows: rows), pass.d[inner].slice(rows: rows))
    pass.d[up].addProduct(dy.transposed, h)
    if let bias { pass.d[bias].addColumnSums(dy) }
    dh.setProduct(dy, pass[up].transposed)
    switch function {
    case .identity: break
    case .tanh: for i in 0..<h.rows { differentiateTanh(h[i], dh[i]) }
    case .sigmoid: for i in 0..<h.rows { differentiateSigmoid(h[i], dh[i]) }
    }
    pass.d[down].addProduct(dh.transposed, x)
  }

  /// Sets the gradient of x, or adds to it, after `backward`.
  func inputGradient(into dx: Matrix, adding: Bool, _ rows: Range<Int>, _ pass: Pass) {
    let dh = pass.d[inner].slice(rows: rows)
    if adding {
      dx.addProduct(dh, pass[down].transposed)
    } else {
      dx.setProduct(dh, pass[down].transposed)
    }
  }
}

/// h = tanh(h)
@inline(never) private func setTanh(_ h: Row) {
  for j in 0..<h.count { h[j] = tanh(h[j]) }
}
/// h = σ(h)
@inline(never) func setSigmoid(_ h: Row) {
  for j in 0..<h.count { h[j] = sigmoid(h[j]) }
}
/// ∂h ∘ (1 − h²)
@inline(never) private func differentiateTanh(_ h: Row, _ dh: Row) {
  for j in 0..<h.count { dh[j] *= 1 - h[j] * h[j] }
}
/// ∂h ∘ h ∘ (1 − h)
@inline(never) private func differentiateSigmoid(_ h: Row, _ dh: Row) {
  for j in 0..<h.count { dh[j] *= h[j] * (1 - h[j]) }
}
