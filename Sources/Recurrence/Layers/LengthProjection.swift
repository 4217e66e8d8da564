internal import LinearAlgebra
internal import Sequences

/// The length input of a first layer, through a matrix R of its own:
///
///     z(t) R,   z(t) = ln(1 + τ − t) or ln(1 + τ)
///
/// τ is the number of the sequence's outputs. The logarithm keeps z between 0 and 7 for up to a
/// thousand outputs, and distinguishes small numbers best, where the end is near.
struct LengthProjection: Sendable {
  private let isRemaining: Bool
  private let weight: Parameter
  /// z of every step.
  private let numbers: Scratch

  /// - Parameter name: The name of R.
  init?(
    _ input: LengthInput, _ width: Int, name: String, gates: Int, _ spread: Distribution,
    in plan: inout Plan
  ) {
    guard input != .none else { return nil }
    isRemaining = input == .remaining
    weight = plan.parameter(name, from: 1, to: width, gates: gates, pytorch: spread)
    numbers = plan.scratch(1, rows: .each(of: .max))
  }

  func forward(into y: Matrix, _ pass: Pass) {
    let z = Matrix(pass.scratch(numbers), rows: y.rows, columns: 1)
    for t in 0..<pass.steps {
      for s in 0..<pass.streams {
        let count =
          isRemaining
          ? pass.batch.remaining(t, s) : Int(pass.batch.totals.elements()[s])
        z[t * pass.streams + s, 0] = Real(logarithm(Real(1 + count)))
      }
    }
    y.addProduct(z, pass[weight])
  }

  /// ∂R += zᵀ ∂y
  func backward(from dy: Matrix, _ pass: Pass) {
    let z = Matrix(pass.scratch(numbers), rows: dy.rows, columns: 1)
    pass.d[weight].addProduct(dy.transposed, z)
  }
}
