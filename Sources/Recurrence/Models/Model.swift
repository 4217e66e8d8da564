/// What a trainer trains: layers, and a head that takes the loss.
public protocol Model: Sendable {
  var plan: Plan { get }
  /// What the model reads and predicts.
  var interface: ModelInterface { get }
  /// The matrices of output layers, which adaptive clipping leaves alone.
  var outputWeights: [Parameter] { get }
  /// Names under which a tied matrix is known besides its own, as safetensors files note them.
  var tiedNames: [String: String] { get }
  /// Tells apart models that compute different things, together with the names and shapes of their
  /// parameters: what their parts are, but not how they are drawn, dropped and learnt.
  var structure: [String] { get }

  /// What a diagnosis may look at, layer by layer.
  var probes: [Probe] { get }

  /// Runs the layers over a window, without a loss.
  func read(_ pass: Pass)
  /// Runs the layers over a window and takes its loss; in training the head's derivatives too.
  func forward(_ pass: Pass)
  /// Takes the derivatives of everything below the head.
  func backward(_ pass: Pass)
}
