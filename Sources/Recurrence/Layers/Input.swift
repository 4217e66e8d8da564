internal import LinearAlgebra

/// What a window holds, as an activation: frames as they are, symbols as rows of zeros with a single 1.
///
/// Needed where something other than a layer's products reads it, such as a shortcut; a layer right
/// above reads the batch itself.
public struct Input: Layer {
  public let output: Activation
  private let source: Source

  /// - Parameter source: frames, symbols, or nothing, which is rows without a number.
  public init(_ source: Source, in plan: inout Plan) {
    output = plan.activation(plan.width(source))
    self.source = source
  }

  public func forward(_ pass: Pass) {
    let x = pass[output]
    if case .frames = source { return x.copy(pass.batch.featureRows) }
    guard case .symbols = source else { return }
    x.fill(0)
    let symbols = pass.batch.inputs.elements()
    for row in 0..<x.rows { x[row, Int(symbols[row])] = 1 }
  }

  public func backward(_ pass: Pass) {}
}

/// The vector that is known of each stream, z: what a model is conditioned on.
public struct ConditionInput: Layer {
  public let output: Activation

  public init(_ width: Int, in plan: inout Plan) {
    output = plan.activation(width, on: .stream)
  }

  public func forward(_ pass: Pass) { pass[output].copy(pass.batch.conditionRows) }
  public func backward(_ pass: Pass) {}
}
