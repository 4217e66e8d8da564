internal import LinearAlgebra

/// Numbers from 0 to 1 that a cell multiplies by: part `part` of `count` equal blocks of an activation, as
/// the way there leaves it.
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

/// A square block of weights: part `part` of `count` blocks of a matrix's outputs, and as many of its
/// inputs, the first.
public struct WeightBlock: Sendable {
  let parameter: Parameter
  let part: Int
  let count: Int

  init(_ parameter: Parameter, _ part: Int = 0, of count: Int = 1) {
    self.parameter = parameter
    self.part = part
    self.count = count
  }

  func matrix(in weights: ParameterVector) -> Matrix {
    let whole = weights[parameter]
    let height = whole.rows / count
    return whole.slice(rows: part * height..<(part + 1) * height).slice(columns: 0..<height)
  }
}

/// What a diagnosis looks at in one recurrent layer.
public struct Probe: Sendable {
  /// The layer as its plan calls it, such as `layer 0`.
  public let layer: String
  /// What the layer shows, where the next step reads it too.
  let state: Activation?
  let gates: [GateBlock]
  /// What carries the state from step to step; the largest of their spectral radii counts.
  let transitions: [WeightBlock]
}

extension RecurrentCell {
  public var gateBlocks: [GateBlock] { [] }
  public var transitions: [WeightBlock] { [] }
}

extension Layer {
  public var probes: [Probe] { [] }
}

extension Model {
  public var probes: [Probe] { [] }
}
