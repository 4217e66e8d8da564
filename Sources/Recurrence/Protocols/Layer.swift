/// A part of a model that computes one activation from others for all time steps of a window.
public protocol Layer: Sendable {
  /// The activation that the layer computes.
  var output: Activation { get }
  /// Fills in `pass[output]`.
  func forward(_ pass: Pass)
  /// Reads `pass.d[output]`; adds to the gradients of the activations it has read and of its parameters.
  func backward(_ pass: Pass)
  /// The activations and weights that a diagnosis looks at.
  var probes: [Probe] { get }
}

/// A layer that finishes the gradients of some parameters before those of the others.
protocol StagedLayer: Layer {
  /// The parameters whose gradients are final at each `pass.finishPart()`.
  var parts: [Set<Parameter>] { get }
}
