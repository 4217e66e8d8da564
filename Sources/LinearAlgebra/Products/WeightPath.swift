/// One way of multiplying by the weights of a model, such as by copies in a library's own blocks.
///
/// The path is chosen once for a model, when its `WeightProducts` is made.
package struct WeightPath: Sendable {
  package let name: String
  /// The precision of the factors.
  package let precision: Precision
  /// Returns the bytes that the copies of a weight of `count` numbers take, for x · W and for the
  /// backward pass, where a product at one time step has `rowsOfStep` rows.
  let bytesOfCopies:
    @Sendable (_ count: Double, _ rowsOfStep: Int) -> (forward: Double, backward: Double)
  /// The bytes of a number that is rounded before it is multiplied; 0 for a path that rounds none.
  let bytesOfRounded: Int
  /// Makes the products with each of the weights, and the products that make their gradients.
  let make:
    @Sendable (_ weights: [Matrix], _ model: WeightProducts) -> (
      weights: [WeightProduct], gradient: GradientProduct
    )
}

/// The products with one weight.
///
/// This class multiplies by the matrix as it is stored. A subclass multiplies by a copy, which it makes
/// anew at the first use after a change of the weight; for shapes that no copy makes faster it calls
/// `super`. The copy that a product uses follows from its shape alone: a resumed run has to compute the
/// same bits.
class WeightProduct {
  /// The stored weight, `[out, in]`, without gaps between rows.
  let matrix: Matrix
  unowned(unsafe) let model: WeightProducts
  /// The number of the weight in its model.
  var index = 0

  init(_ matrix: Matrix, in model: WeightProducts) {
    self.matrix = matrix
    self.model = model
  }

  /// C = keep · C + A W, or C = keep · C + A Wᵀ for the backward pass. The shapes fit and are not
  /// empty; `keep` is 0 or 1.
  func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) {
    c.multiply(a, false, matrix, !isTransposed, keep: keep)
  }

  /// Writes one of the copies of the weight, of those that a subclass numbers.
  func pack(_ number: Int, into memory: UnsafeMutableRawPointer) {
    preconditionFailure("copy \(number) of a weight without copies")
  }
}

/// The products that make the gradients of a model's weights.
class GradientProduct {
  /// G += Aᵀ B: gradients of the outputs at many steps, times the inputs there. The shapes fit and are
  /// not empty.
  func add(_ a: Matrix, _ b: Matrix, to g: Matrix) { g.multiply(a, true, b, false, keep: 1) }
}

extension WeightPath {
  /// Products with the matrix as it is stored.
  static let stored = WeightPath(
    name: "stored", precision: .float32, bytesOfCopies: { _, _ in (0, 0) }, bytesOfRounded: 0
  ) { weights, model in
    (weights.map { WeightProduct($0, in: model) }, GradientProduct())
  }
}
