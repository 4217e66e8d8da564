internal import LinearAlgebra

/// A gate: numbers from 0 to 1 that a cell multiplies by. It is block `part` of `count` equal
/// blocks of an activation, as the forward pass leaves it.
public struct GateBlock: Sendable {
  public let name: String
  let activation: Activation
  let part: Int
  let count: Int

  public init(_ name: String, _ activation: Activation, _ part: Int, of count: Int) {
    self.name = name
    self.activation = activation
    self.part = part
    self.count = count
  }
}

/// The activations and weights of one recurrent layer that a gradient diagnosis measures.
public struct Probe: Sendable {
  /// The name of the layer in its plan, such as `layer 0`.
  public let layer: String
  /// The output of the layer, if the next step reads it as its state.
  let state: Activation?
  let gates: [GateBlock]
  /// The transitions from one state to the next.
  let transitions: [Transition]
  /// W of the layer's x W; nil if the layer has no input.
  let input: Parameter?
  /// The axis of the layer's steps.
  var axis = Axis.time

  /// Returns the largest spectral radius of all transitions; nil if there are none.
  func spectralRadius(in weights: ParameterVector) -> Double? {
    transitions.compactMap { $0.spectralRadius(in: weights, input: input) }.max()
  }
}

extension InspectedCell {
  public var gateBlocks: [GateBlock] { [] }
  public var transitions: [Transition] { [] }
}

extension Layer {
  public var probes: [Probe] { [] }
}
