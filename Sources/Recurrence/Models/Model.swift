public import Sequences

/// A trainable model: layers, and a head that computes the loss.
public protocol Model: Sendable {
  var plan: Plan { get }
  /// The model's inputs and outputs.
  var interface: TaskSignature { get }
  /// The layers that run once before the first step, over the source or over the condition.
  var encoder: [any Layer] { get }
  /// The layers that run over the window.
  var layers: [any Layer] { get }
  /// The head that computes the loss.
  var head: any Head { get }
  /// The matrices of output layers, which adaptive clipping excludes.
  var outputWeights: [Parameter] { get }
  /// Second names of tied matrices, as safetensors files note them.
  var tiedNames: [String: String] { get }
  /// A description of the computation. Together with the names and shapes of the parameters it
  /// tells models apart that compute different things. It covers the parts of a model, but not
  /// initialisation, dropout or learning rates.
  var structure: [String] { get }

  /// The measuring points of a gradient diagnosis, layer by layer.
  var probes: [Probe] { get }

  /// Runs all layers over a window, without a loss.
  func read(_ pass: Pass)
  /// Runs the forward pass of all layers over a window and computes the loss. In training the head
  /// also accumulates its gradients.
  func forward(_ pass: Pass)
  /// Runs the backward pass of all layers below the head.
  func backward(_ pass: Pass)
}

extension Model {
  public var encoder: [any Layer] { [] }

  public var probes: [Probe] { (encoder + layers).flatMap(\.probes) }

  public func read(_ pass: Pass) {
    encode(pass)
    goOn(pass)
  }

  /// Runs the layers before the first step: the encoder and the condition.
  func encode(_ pass: Pass) {
    for layer in encoder { run(layer, pass) }
  }

  /// Runs the other layers over steps that follow `encode`.
  func goOn(_ pass: Pass) {
    for layer in layers { run(layer, pass) }
  }

  public func forward(_ pass: Pass) {
    read(pass)
    head.forward(pass)
    pass.releasePackedWeights()
    pass.mark(.output)
    if pass.isTraining { pass.finishStage() }
  }

  public func backward(_ pass: Pass) {
    for layer in layers.reversed() { differentiate(layer, pass) }
    for layer in encoder.reversed() { differentiate(layer, pass) }
  }

  private func run(_ layer: any Layer, _ pass: Pass) {
    layer.forward(pass)
    pass.releasePackedWeights()
    pass.mark(.other)
  }

  private func differentiate(_ layer: any Layer, _ pass: Pass) {
    layer.backward(pass)
    pass.releasePackedWeights()
    pass.mark(.other)
    pass.finishStage()
  }
}
