/// What a trainer trains: layers, and a head that takes the loss.
public protocol Model: Sendable {
  var plan: Plan { get }
  /// What the model reads and predicts.
  var interface: TaskSignature { get }
  /// What runs once before the first step: over a source, or over what is known of whole sequences.
  var encoder: [any Layer] { get }
  /// What runs over the window.
  var layers: [any Layer] { get }
  /// What takes the loss.
  var head: any Head { get }
  /// The matrices of output layers, which adaptive clipping leaves alone.
  var outputWeights: [Parameter] { get }
  /// Names under which a tied matrix is known besides its own, as safetensors files note them.
  var tiedNames: [String: String] { get }
  /// Tells apart models that compute different things, together with the names and shapes of their
  /// parameters: what their parts are, but not how they are drawn, dropped and learnt.
  var structure: [String] { get }

  /// What a diagnosis may look at, layer by layer.
  var probes: [Probe] { get }

  /// Runs all layers over a window, without a loss.
  func read(_ pass: Pass)
  /// Runs the layers over a window and takes its loss; in training the head's derivatives too.
  func forward(_ pass: Pass)
  /// Takes the derivatives of everything below the head.
  func backward(_ pass: Pass)
}

extension Model {
  public var encoder: [any Layer] { [] }

  public var probes: [Probe] { (encoder + layers).flatMap(\.probes) }

  public func read(_ pass: Pass) {
    encode(pass)
    goOn(pass)
  }

  /// Runs what comes before the first step: the source is read, and conditions are taken in.
  func encode(_ pass: Pass) {
    for layer in encoder { run(layer, pass) }
  }

  /// Runs the layers over steps that follow what was encoded.
  func goOn(_ pass: Pass) {
    for layer in layers { run(layer, pass) }
  }

  public func forward(_ pass: Pass) {
    read(pass)
    head.forward(pass)
    pass.releasePackedWeights()
    pass.mark(.output)
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
  }
}
