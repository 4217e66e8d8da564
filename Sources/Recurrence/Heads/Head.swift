public import LinearAlgebra

/// The last part of a model: an output layer and a loss.
public protocol Head: Sendable {
  /// The weight matrix of the output layer; in a tied model, the embedding's table.
  var weight: Parameter { get }
  /// The bias of the output layer; nil for none.
  var bias: Parameter? { get }
  /// All matrices of the output layer.
  var outputWeights: [Parameter] { get }
  /// True if `outputs` are ln p, so that nobody need normalise them.
  var givesLogLikelihoods: Bool { get }
  /// Computes the loss of every row with a target. In training it also accumulates the gradients of
  /// its input activation and of its parameters.
  func forward(_ pass: Pass)
  /// Returns the outputs of every stream at step t, without a loss, in memory that the next call
  /// overwrites: logits of symbols or labels, or predicted numbers.
  func outputs(at t: Int, _ pass: Pass) -> Matrix
  /// Returns the same, but −∞ is allowed for symbols that are not among the `count` likeliest of their
  /// stream.
  func outputs(at t: Int, _ pass: Pass, likeliest count: Int?) -> Matrix
}

extension Head {
  public var outputWeights: [Parameter] { [weight] }
  public var givesLogLikelihoods: Bool { false }

  public func outputs(at t: Int, _ pass: Pass, likeliest count: Int?) -> Matrix {
    outputs(at: t, pass)
  }
}
