public import LinearAlgebra

/// The last part of a model: an output layer and a loss.
public protocol Head: Sendable {
  /// The weight matrix of the output layer; in a tied model, the embedding's table.
  var weight: Parameter { get }
  /// The bias of the output layer; nil for none.
  var bias: Parameter? { get }
  /// Computes the loss of every row with a target. In training it also accumulates the gradients of
  /// its input activation and of its parameters.
  func forward(_ pass: Pass)
  /// Returns the outputs of every stream at step t, without a loss, in memory that the next call
  /// overwrites: logits of symbols or labels, or predicted numbers.
  func outputs(at t: Int, _ pass: Pass) -> Matrix
}
