public import LinearAlgebra

/// A linear map to n numbers. The loss is their squared distance from the target, averaged over the
/// n numbers as in PyTorch's `MSELoss`:
///
///     y = h W + b,   loss = 1/n Σⱼ (yⱼ − vⱼ)²,   ∂y = 2/n (y − v)
public struct SquaredError: Head {
  let layer: OutputLayer
  public var weight: Parameter { layer.weight }
  public var bias: Parameter? { layer.bias }

  /// - Parameters:
  ///   - width: The number of predicted numbers per step.
  ///   - input: The activation from which the predictions are computed.
  ///   - hasBias: True if the predictions have a trainable bias.
  ///   - plan: The plan that the parameters and activations are added to.
  public init(
    _ width: Int, reading input: Activation, bias hasBias: Bool = true, in plan: inout Plan
  ) {
    layer = OutputLayer(width, reading: input, bias: hasBias, in: &plan)
  }

  public func forward(_ pass: Pass) {
    let values = pass.batch.valueRows
    layer.forwardBiased(pass) { y, row in
      subtract(values[row], from: y)
      let loss = sumOfSquares(y) / Double(y.count)
      if pass.isTraining { y.scale(by: 2 / Real(y.count)) }
      return loss
    }
  }

  /// Returns the predicted numbers of every stream at step t.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix { layer.outputs(at: t, pass) }
}

@inline(never) private func subtract(_ v: Row, from y: Row) {
  for j in 0..<y.count { y[j] -= v[j] }
}
@inline(never) private func sumOfSquares(_ y: Row) -> Double {
  var sum = 0.0
  for j in 0..<y.count { sum += Double(y[j]) * Double(y[j]) }
  return sum
}
