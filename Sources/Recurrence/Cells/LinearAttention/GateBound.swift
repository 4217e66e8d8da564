internal import LinearAlgebra

/// The learnt bound below which no gate of a layer falls, and which rises from layer to layer (Qin 2023, HGRN):
///
///     β = Σ over rows i from 1 to l of softmax(Γ)ᵢ
///
/// Γ has a row for each of the L layers and a column for each gate; the softmax is over the rows, so that β is below 1.
/// The lowest layer with a bound has Γ, and those above it add to its gradient.
struct GateBound: Sendable {
  /// Γ, row after row.
  private let rows: Parameter
  private let width, layer, count: Int
  /// β, the largest number of each column of Γ, the sum of its exponentials, and ∂β.
  private let room: Scratch

  init(width: Int, layer: Int, of count: Int, in plan: inout Plan) {
    (self.width, self.layer, self.count) = (width, layer, count)
    rows = plan.sharedVector("lower_bounds", count: count * width)
    room = plan.scratch(4 * width)
  }

  /// Computes β, which is valid until the layer returns.
  func values(_ pass: Pass) -> Row {
    let (all, bound, most, sum) = parts(pass)
    most.copy(all[0])
    for i in 1..<count { raise(most, to: all[i]) }
    bound.fill(0)
    sum.fill(0)
    for i in 0..<count {
      addExponentials(all[i], most, to: sum)
      if i > 0, i <= layer { addExponentials(all[i], most, to: bound) }
    }
    for j in 0..<width { bound[j] /= sum[j] }
    return bound
  }

  /// Adds to the gradient of Γ, from that of β at all steps.
  func accumulate(_ gradients: Matrix, _ pass: Pass) {
    _ = values(pass)
    let (all, bound, most, sum) = parts(pass)
    let dBound = Matrix(pass.scratch(room), rows: 4, columns: width).slice(rows: 3..<4)
    dBound.fill(0)
    dBound.addColumnSums(gradients)
    let dRows = Matrix(
      pass.d[rows].row.elements.baseAddress!, rows: count, columns: width)
    for i in 0..<count {
      differentiateShare(
        all[i], most, sum, bound, i > 0 && i <= layer ? 1 : 0, dBound[0], dRows[i])
    }
  }

  private func parts(_ pass: Pass) -> (all: Matrix, bound: Row, most: Row, sum: Row) {
    let room = Matrix(pass.scratch(room), rows: 4, columns: width)
    let all = Matrix(pass[rows].row.elements.baseAddress!, rows: count, columns: width)
    return (all, room[0], room[1], room[2])
  }
}

/// y = max(x, y)
@inline(never) private func raise(_ y: Row, to x: Row) {
  for j in 0..<y.count { y[j] = x[j] > y[j] ? x[j] : y[j] }
}
/// y += exp(x − m)
@inline(never) private func addExponentials(_ x: Row, _ most: Row, to y: Row) {
  for j in 0..<y.count { y[j] += exp(x[j] - most[j]) }
}
/// With p = exp(x − m)/Σ: ∂x += p (c − β) ∂β, where c is 1 if β has this p and 0 if not.
@inline(never) private func differentiateShare(
  _ x: Row, _ most: Row, _ sum: Row, _ bound: Row, _ c: Real, _ dBound: Row, _ dx: Row
) {
  for j in 0..<dx.count {
    dx[j] += exp(x[j] - most[j]) / sum[j] * (c - bound[j]) * dBound[j]
  }
}
