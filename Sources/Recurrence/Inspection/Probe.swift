internal import LinearAlgebra

/// Numbers from 0 to 1 that a cell multiplies by: part `part` of `count` equal blocks of an
/// activation, as the way there leaves it.
public struct GateBlock: Sendable {
  public let name: String
  let activation: Activation
  let part: Int
  let count: Int

  init(_ name: String, _ activation: Activation, _ part: Int, of count: Int) {
    self.name = name
    self.activation = activation
    self.part = part
    self.count = count
  }
}

/// What a diagnosis looks at in one recurrent layer.
public struct Probe: Sendable {
  /// The layer as its plan calls it, such as `layer 0`.
  public let layer: String
  /// What the layer shows, where the next step reads it too.
  let state: Activation?
  let gates: [GateBlock]
  /// What carries the state from step to step.
  let transitions: [Transition]
  /// W of the layer's x W; nil where nothing is read.
  let input: Parameter?
  /// Where the layer's steps are.
  var axis = Axis.time

  /// The largest of the radii of all transitions; nil where there is none.
  func spectralRadius(in weights: ParameterVector) -> Double? {
    transitions.compactMap { $0.spectralRadius(in: weights, input: input) }.max()
  }
}

extension RecurrentCell {
  public var gateBlocks: [GateBlock] { [] }
  public var transitions: [Transition] { [] }
}

extension Layer {
  public var probes: [Probe] { [] }
}
